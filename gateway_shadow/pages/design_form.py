"""A policy as the fields of a form, and back into its text: both are views of one document. Pure.

A field is named by its place in the document, ``spec.rules[0].budget.cap_usd``, so an error of the document stands at
its field. What the form does not show stays in the text as it was, comments too; a field that says what the text
already says leaves it alone.
"""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from spendgate.model.event import SCOPE_FIELDS
from spendgate.model.policy_merge import flat

UNITS = ("hour", "day", "week", "month", "quarter", "year", "rolling", "lifetime")
KINDS = ("budget", "boundary", "review")
MOST_RULES = 100
_INDEX = re.compile(r"spec\.rules\[([0-9]{1,3})\]\.kind", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._*/+-]*", re.ASCII)
_LISTS = ("per", "warn_at_percent", "allow", "deny", "models", "vendors", "evidence_status", *SCOPE_FIELDS)
_NUMBERS = ("max_input_tokens", "max_output_tokens", "input_tokens_over", "output_tokens_over")
_MONEY = ("cap_usd", "max_cost_usd", "cost_usd_over")

TOP = (
    "metadata.name", "metadata.owner", "metadata.description",
    *(f"spec.scope.{name}" for name in SCOPE_FIELDS), *(f"spec.scope.exclude.{name}" for name in SCOPE_FIELDS),
    "spec.on_unpriced", "spec.enforcement.fail_mode", "spec.enforcement.on_review", "spec.enforcement.reserve_for",
)  # fmt: skip
OF_RULE = {
    "budget": ("cap_usd", "per", "warn_at_percent", "on_breach"),
    "boundary": (
        "models.allow", "models.deny", "vendors.allow", "vendors.deny", "max_cost_usd", "max_input_tokens",
        "max_output_tokens", "on_breach",
    ),
    "review": (
        "when.cost_usd_over", "when.input_tokens_over", "when.output_tokens_over", "when.models", "when.vendors",
        "when.evidence_status", "reviewers", "expires", "on_expiry",
    ),
}  # fmt: skip
FRESH = """\
apiVersion: spendgate/v1
kind: Policy
metadata: {name: new-policy, owner: finance}
spec:
  scope: {}
  rules:
    - budget:
        cap_usd: "100"
        window: {calendar: month, timezone: UTC}
        per: [team]
        on_breach: deny
"""


class RuleForm(NamedTuple):
    """A rule's kind, and its fields by their names within it."""

    number: int
    kind: str
    values: dict[str, str]

    @property
    def prefix(self) -> str:
        """What the names of its fields begin with."""
        return f"spec.rules[{self.number}].{self.kind}"


class DesignForm(NamedTuple):
    """A document as fields; None of both where its text is no document yet."""

    values: dict[str, str]
    rules: list[RuleForm]


def form_of(text: str) -> DesignForm | None:
    """The fields of a text, as far as it can be read at all."""
    document = _loaded(text)
    if document is None:
        return None
    rules = _at(document, "spec.rules")
    found = rules if isinstance(rules, list) else []
    return DesignForm(
        {name: _shown(_at(document, name)) for name in TOP},
        [_rule_form(number, each) for number, each in enumerate(found[:MOST_RULES])],
    )  # fmt: skip


def text_of(base: str, said: Mapping[str, str]) -> str:
    """The text ``base`` with what a form says. What cannot be right is kept as it was typed, for its error."""
    document = _loaded(base)
    if document is None:
        return base
    for name in (each for each in TOP if each in said):
        _put(document, name, said[name])
    numbers = sorted(int(found[1]) for name in said if (found := _INDEX.fullmatch(name)))
    spec = _mapping(document, "spec")
    rules = spec.get("rules")
    if numbers and not isinstance(rules, list):
        rules = spec["rules"] = CommentedSeq()
    for number in numbers[:MOST_RULES]:
        _put_rule(document, rules, number, said)
    return _dumped(document)


def with_rule(text: str, kind: str) -> str:
    """The text with one more rule of a kind."""
    fresh: dict[str, Any] = {
        "budget": {"cap_usd": _quoted("100"), "window": {"calendar": "month", "timezone": "UTC"}, "on_breach": "deny"},
        "boundary": {"max_cost_usd": _quoted("1.00"), "on_breach": "deny"},
        "review": {"when": {"cost_usd_over": _quoted("0.50")}},
    }
    document = _loaded(text)
    if document is None or kind not in fresh:
        return text
    rules = _mapping(document, "spec").setdefault("rules", CommentedSeq())
    if isinstance(rules, list):
        rules.append(_flowing({kind: _flowing(fresh[kind])}, block=True))
    return _dumped(document)


def without_rule(text: str, number: int) -> str:
    """The text without one of its rules."""
    document = _loaded(text)
    rules = None if document is None else _at(document, "spec.rules")
    if document is None or not isinstance(rules, list) or not 0 <= number < len(rules):
        return text
    del rules[number]
    return _dumped(document)


def rewritten(text: str, now: Mapping[str, Any], wanted: Mapping[str, Any], came_from: Sequence[int | None]) -> str:
    """The text with what a document in canonical form says. ``now``: what it says itself, in that form; ``came_from``:
    of each wanted rule its number in the text, None for a new one. What is the same stays as it was, comments too."""
    document = _loaded(text)
    if document is None:
        return text
    _rewrite(document, _without_rules(now), _without_rules(wanted))
    rules, was = _at(document, "spec.rules"), now["spec"]["rules"]
    nodes = []
    for number, rule in zip(came_from, wanted["spec"]["rules"], strict=True):
        if number is not None:
            _rewrite(rules[number], flat(was[number]), flat(rule))
        nodes.append(_flowing(_noded(rule), block=True) if number is None else rules[number])
    _reseat(document, rules, came_from, nodes)
    return _dumped(document)


def written(document: Mapping[str, Any]) -> str:
    """A document as a text of its own."""
    return _dumped(_flowing(_noded(document), block=True))


def field_of(place: str, names: Iterable[str]) -> str | None:
    """The field of a form that shows a place of the document; None for one that no field shows."""
    fitting = [name for name in names if place == name or place.startswith((f"{name}.", f"{name}["))]
    if fitting:
        return max(fitting, key=len)
    whole = place.partition(".window")[0]
    return next((name for name in names if ".window" in place and name == f"{whole}.window.unit"), None)


def _rule_form(number: int, rule: Any) -> RuleForm:
    kinds = [kind for kind in KINDS if isinstance(rule, Mapping) and kind in rule]
    if not kinds:
        return RuleForm(number, "budget", {})
    inside = rule[kinds[0]]
    values = {name: _shown(_at(inside, name)) for name in OF_RULE[kinds[0]]}
    return RuleForm(number, kinds[0], values | (_window_form(inside) if kinds[0] == "budget" else {}))


def _window_form(budget: Any) -> dict[str, str]:
    window = _at(budget, "window")
    said: Mapping[str, Any] = window if isinstance(window, Mapping) else {}
    unit = "lifetime" if "lifetime" in said else "rolling" if "rolling" in said else _shown(said.get("calendar"))
    return {
        "window.unit": unit, "window.rolling": _shown(said.get("rolling")),
        "window.timezone": _shown(said.get("timezone")), "window.week_starts": _shown(said.get("week_starts")),
    }  # fmt: skip


def _without_rules(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in flat(document).items() if name != "spec.rules"}


def _rewrite(document: Any, now: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for name in sorted({**now, **wanted}):
        *way, last = name.split(".")
        if now.get(name) == wanted.get(name):
            continue
        if name not in wanted:
            _drop(document, way, last)
            continue
        at = document
        for each in way:
            at = _mapping(at, each)
        made = _noded(wanted[name], last)
        at[last] = _flowing(made) if isinstance(made, dict) else made


def _noded(value: Any, name: str = "") -> Any:
    """A value of the canonical form, as it is written."""
    if isinstance(value, Mapping):
        return {key: _noded(each, key) for key, each in value.items()}
    if isinstance(value, list):
        made = CommentedSeq([_noded(each) for each in value])
        made.fa.set_flow_style()
        return made
    if isinstance(value, str):
        return _quoted(value) if name in _MONEY else _plain(value)
    return value


def _reseat(document: Any, rules: Any, came_from: Sequence[int | None], nodes: Sequence[Any]) -> None:
    """Have the rules be these; comments between them stay with their places unless the order is another."""
    kept = [number for number in came_from if number is not None]
    if kept != sorted(kept):
        document["spec"]["rules"] = CommentedSeq(nodes)
        return
    for gone in reversed([number for number in range(len(rules)) if number not in kept]):
        del rules[gone]
    for place, number in enumerate(came_from):
        if number is None:
            rules.insert(place, nodes[place])


def _put_rule(document: Any, rules: Any, number: int, said: Mapping[str, str]) -> None:
    place = f"spec.rules[{number}]"
    kind = said.get(f"{place}.kind", "")
    if kind not in KINDS:
        return
    while len(rules) <= number:
        rules.append(CommentedMap())
    if not isinstance(rules[number], Mapping) or kind not in rules[number]:
        rules[number] = _flowing({kind: _flowing({})}, block=True)
    if not isinstance(rules[number][kind], Mapping):
        rules[number][kind] = _flowing({})
    for name in OF_RULE[kind]:
        if (value := said.get(f"{place}.{kind}.{name}")) is not None:
            _put(rules[number][kind], name, value)
    if kind == "budget" and f"{place}.budget.window.unit" in said:
        _put_window(rules[number]["budget"], {name: said.get(f"{place}.budget.window.{name}", "").strip() for name in (
            "unit", "rolling", "timezone", "week_starts",
        )})  # fmt: skip


def _put_window(budget: Any, said: Mapping[str, str]) -> None:
    unit = said["unit"]
    if unit == "lifetime":
        wanted: dict[str, Any] = {"lifetime": True}
    elif unit == "rolling":
        wanted = {"rolling": said["rolling"] or "24h"}
    else:
        wanted = {"calendar": unit, "timezone": said["timezone"] or "UTC"}
        wanted |= {"week_starts": said["week_starts"]} if unit == "week" and said["week_starts"] else {}
    now = budget.get("window")
    defaults = {"timezone": "UTC"} if unit not in ("lifetime", "rolling") else {}
    if not isinstance(now, Mapping) or {**defaults, **now} != wanted:
        budget["window"] = _flowing(_noded(wanted))


def _put(document: Any, name: str, text: str) -> None:
    """Write a field, unless it says what is there."""
    *way, last = name.split(".")
    if _shown(_at(document, name)) == text.strip():
        return
    if not text.strip():
        _drop(document, way, last)
        return
    at = document
    for each in way:
        if not isinstance(at.get(each), Mapping):
            at[each] = _flowing({})
        at = at[each]
    at[last] = _value(last, text.strip())


def _drop(document: Any, way: list[str], last: str) -> None:
    parent = _at(document, ".".join(way)) if way else document
    if isinstance(parent, dict) and last in parent:
        del parent[last]
        if not parent and way and way[-1] != "scope":
            _drop(document, way[:-1], way[-1])


def _value(name: str, text: str) -> Any:
    if name in _LISTS:
        values = [each.strip() for each in text.split(",") if each.strip()]
        is_number = name == "warn_at_percent"
        made = CommentedSeq([int(each) if is_number and _is_whole(each) else _plain(each) for each in values])
        made.fa.set_flow_style()
        return made
    if name in _NUMBERS and _is_whole(text):
        return int(text)
    return _quoted(text) if name in _MONEY else _plain(text)


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


def _plain(text: str) -> str:
    """In quotes, unless it can be read without."""
    return text if _PLAIN.fullmatch(text) else _quoted(text)


def _shown(value: Any) -> str:
    if value is None or isinstance(value, Mapping):
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _at(document: Any, name: str) -> Any:
    for each in name.split("."):
        if not isinstance(document, Mapping):
            return None
        document = document.get(each)
    return document


def _mapping(document: Any, name: str) -> Any:
    if not isinstance(document.get(name), Mapping):
        document[name] = CommentedMap()
    return document[name]


def _quoted(text: str) -> DoubleQuotedScalarString:
    made: DoubleQuotedScalarString = DoubleQuotedScalarString(text)
    return made


def _flowing(value: Mapping[str, Any], *, block: bool = False) -> CommentedMap:
    made = CommentedMap({key: _flowing(each) if type(each) is dict else each for key, each in value.items()})
    if not block:
        made.fa.set_flow_style()
    return made


def _yaml() -> YAML:
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _loaded(text: str) -> Any:
    try:
        found = _yaml().load(text)
    except (YAMLError, ValueError, RecursionError):
        return None
    return found if isinstance(found, CommentedMap) else None


def _dumped(document: Any) -> str:
    sink = io.StringIO()
    _yaml().dump(document, sink)
    return sink.getvalue()
