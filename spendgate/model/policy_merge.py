"""Three-way merge of a policy that two people have edited: field by field, from the version that both began with.

All three are compared in their canonical form. A field that one side alone has changed is as that side has it; one that
both have changed alike is so; one that they have changed otherwise is a conflict, and somebody chooses. A window is one
field, and so is every list. Rules are paired with those of the base as in ``policy_diff``; a rule that one side has
removed and the other has changed is a conflict as a whole, and so is their order, if both have changed it. One that was
removed beside a new one of its kind reads as changed: rather a choice too many than a rule that is there twice.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from spendgate.model.canonical import canonical_bytes
from spendgate.model.policy import Policy
from spendgate.model.policy_diff import pair_rules
from spendgate.model.policy_diff_words import rule_words, window_words

Side = Literal["mine", "theirs"]
RULE, ORDER = "spec.rules[{}]", "spec.rules"
_Flat = dict[str, Any]
_WHOLE = ("window",)
"""Objects that are one field: half of one and half of another would mean what nobody has written."""


class Conflict(NamedTuple):
    """A place that both have changed, each otherwise. ``place`` numbers rules as the base does; None is nothing."""

    place: str
    base: Any
    theirs: Any
    mine: Any


class Merged(NamedTuple):
    """``document``: as canonical JSON reads; where there are conflicts, with what was chosen. It may be no policy: a
    review whose last two conditions were taken away, one by each. ``mine``: of each rule the number that it has in
    mine, None where it is theirs alone."""

    document: dict[str, Any]
    conflicts: list[Conflict]
    mine: list[int | None]


class _Sheet(NamedTuple):
    """A policy as fields. Rules by an id that both sides share: the base's number, or for a new one what it says."""

    fields: _Flat
    rules: dict[str, _Flat]
    numbers: dict[str, int]


def merge_policies(base: Policy, theirs: Policy, mine: Policy, picks: Mapping[str, Side] | None = None) -> Merged:
    """Both changes in one document. ``picks``: by the place of a conflict, whose side is taken; mine, unless said."""
    begun, one, two = (_sheet(base, each) for each in (base, theirs, mine))
    merge = _Merge(picks or {})
    fields = merge.fields("", begun.fields, one.fields, two.fields)
    ids = {**begun.rules, **one.rules, **two.rules}
    merged = {id_: merge.rule(id_, *(each.rules.get(id_) for each in (begun, one, two))) for id_ in ids}
    rules = {id_: found for id_, found in merged.items() if found is not None}
    order = merge.order(rules.keys(), *(list(each.rules) for each in (begun, one, two)))
    document = _nested(fields)
    document["spec"] = {"scope": {}, **document["spec"], "rules": [_nested(rules[id_]) for id_ in order]}
    return Merged(document, merge.conflicts, [two.numbers.get(id_) for id_ in order])


def value_words(place: str, value: Any) -> str:
    """One side of a conflict, for people."""
    name = place.rpartition(".")[2]
    match value:
        case None:
            return "nothing"
        case list() if place == ORDER:
            return "rules in the order " + ", ".join(str(each) for each in value)
        case list():
            return ", ".join(map(str, value)) or "nothing"
        case dict() if name == "window":
            return window_words(value)
        case dict():
            ((kind, body),) = value.items()
            return rule_words(kind, flat(body))
        case _:
            return f"${value}" if "_usd" in name else str(value)


def flat(document: Mapping[str, Any], at: str = "") -> _Flat:
    """The fields of a document by dotted names; lists are values, and so is a window."""
    found: _Flat = {}
    for name, value in document.items():
        nested = isinstance(value, dict) and name not in _WHOLE
        found |= flat(value, f"{at}{name}.") if nested else {f"{at}{name}": value}
    return found


def canonical(policy: Policy) -> dict[str, Any]:
    """The canonical form as data."""
    return dict(json.loads(canonical_bytes(policy)))


class _Merge:
    """``conflicts``: those met so far."""

    def __init__(self, picks: Mapping[str, Side]) -> None:
        self.picks = picks
        self.conflicts: list[Conflict] = []

    def value(self, place: str, base: Any, theirs: Any, mine: Any) -> Any:
        """The one of the three that holds."""
        if mine in (base, theirs):
            return theirs
        if theirs == base:
            return mine
        self.conflicts.append(Conflict(place, base, theirs, mine))
        return theirs if self.picks.get(place) == "theirs" else mine

    def fields(self, at: str, base: _Flat, theirs: _Flat, mine: _Flat) -> _Flat:
        """Each field by itself; None is a field that is not there."""
        names = sorted({**base, **theirs, **mine})
        found = {name: self.value(f"{at}{name}", base.get(name), theirs.get(name), mine.get(name)) for name in names}
        return {name: value for name, value in found.items() if value is not None}

    def rule(self, id_: str, base: _Flat | None, theirs: _Flat | None, mine: _Flat | None) -> _Flat | None:
        """A rule; None for one that is gone."""
        if base is None:
            return mine if mine is not None else theirs
        if theirs is not None and mine is not None:
            return self.fields(f"{RULE.format(id_)}.", base, theirs, mine)
        kept = self.value(RULE.format(id_), _nested(base), theirs and _nested(theirs), mine and _nested(mine))
        return None if kept is None else flat(kept)

    def order(self, kept: Iterable[str], base: list[str], theirs: list[str], mine: list[str]) -> list[str]:
        """The ids of what is kept: what all three have in their merged order, the others each after what it stood
        after."""
        common = {*kept} & {*base} & {*theirs} & {*mine}
        sides = [[id_ for id_ in each if id_ in common] for each in (base, theirs, mine)]
        frame = self.value(ORDER, *sides)
        groups = [_followers([id_ for id_ in each if id_ in {*kept}], common) for each in (theirs, mine)]
        found = _joined(*(each.get("", []) for each in groups))
        for id_ in frame:
            found += [id_, *_joined(*(each.get(id_, []) for each in groups))]
        return list(dict.fromkeys(found))


def _followers(order: Sequence[str], frame: set[str]) -> dict[str, list[str]]:
    """What stands after each id of the frame, and before the next one."""
    found: dict[str, list[str]] = {}
    at = ""
    for id_ in order:
        if id_ in frame:
            at = id_
        else:
            found.setdefault(at, []).append(id_)
    return found


def _joined(one: list[str], two: list[str]) -> list[str]:
    """Both, in an order that does not hang on whose is whose."""
    first, second = sorted((one, two))
    return first + [id_ for id_ in second if id_ not in first]


def _sheet(base: Policy, policy: Policy) -> _Sheet:
    document = canonical(policy)
    rules = document["spec"].pop("rules")
    became = {new: old for old, new in pair_rules(base.spec.rules, policy.spec.rules) if new is not None}
    said: Counter[str] = Counter()
    found: dict[str, _Flat] = {}
    for number, each in enumerate(rules):
        old = became.get(number)
        text = json.dumps(each, sort_keys=True)
        said[text] += old is None
        found[str(old) if old is not None else f"{text} {said[text]}"] = flat(each)
    return _Sheet(flat(document), found, {id_: number for number, id_ in enumerate(found)})


def _nested(fields: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in fields.items():
        *way, last = name.split(".")
        at = found
        for each in way:
            at = at.setdefault(each, {})
        at[last] = value
    return found
