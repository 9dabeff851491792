"""What a text of a policy comes to: its fields, and every problem at its field. Pure."""

from typing import NamedTuple

from gateway_shadow.pages.design_form import FRESH, DesignForm, field_of, form_of, text_of, with_rule, without_rule
from gateway_shadow.pages.words import exact_usd
from spendgate.model.policy import Policy
from spendgate.model.policy_source import check_bytes


class Wrong(NamedTuple):
    """A problem. ``at``: the form's field, empty where none shows the place; ``line``: of the text, from 1."""

    at: str
    place: str
    words: str
    line: int


class Looked(NamedTuple):
    """``form``: None where the text cannot be read as fields; ``policy``: None where something is wrong."""

    text: str
    form: DesignForm | None
    wrong: list[Wrong]
    policy: Policy | None

    @property
    def names(self) -> list[str]:
        """The names of the form's fields."""
        return [] if self.form is None else names_of(self.form)


def look(text: str) -> Looked:
    """A text, as far as it can be understood."""
    form = form_of(text)
    sourced, found = check_bytes(text.encode("utf-8", "replace"), "text")
    names = [] if form is None else names_of(form)
    wrong = [
        Wrong(field_of(each.field, names) or "", each.field, _words(each.expected, each.nearest), each.place.line)
        for each in found
    ]
    if not wrong and len(sourced) != 1:
        wrong = [Wrong("", "", "expected one policy in a text", 1)]
    return Looked(text, form, wrong, sourced[0].policy if not wrong else None)


def names_of(form: DesignForm) -> list[str]:
    """The names of all fields of a form."""
    return [*form.values, *(f"{rule.prefix}.{name}" for rule in form.rules for name in rule.values)]


def said_by(form: dict[str, str]) -> str:
    """The text that a form of the design page means: what was typed there; where the text is as it was shown, what the
    fields say; then what a button asked for."""
    text, shown = (form.get(name, "").replace("\r\n", "\n") for name in ("yaml", "shown"))
    if form.get("last") == "form" or (form.get("last") != "yaml" and text == shown):
        text = text_of(text or FRESH, form)
    act, _, what = form.get("act", "").partition(":")
    if act == "add":
        return with_rule(text, what)
    if act == "remove" and what.isdecimal():
        return without_rule(text, int(what))
    return text


def _words(expected: str, nearest: str | None) -> str:
    return expected + (f" (did you mean {nearest}?)" if nearest else "")


def caps_around(policy: Policy) -> tuple[int, list[str]] | None:
    """The first budget's rule, and thirty caps around its cap, which is the tenth of them; None without a budget."""
    for number, rule in enumerate(policy.spec.rules):
        if rule.budget is not None:
            step = max(rule.budget.cap_nano_usd // 10, 10_000_000)
            return number, [exact_usd(step * times) for times in range(1, 31)]
    return None
