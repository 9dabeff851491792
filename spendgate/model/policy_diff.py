"""What changed between two policies, in words: by meaning, not by spelling.

Both are compared in their canonical form, so there is a change exactly where the hashes differ. Rules are paired:
first those that say the same, in order, then those of one kind that share the most fields.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal, NamedTuple

from spendgate.model.canonical import canonical_bytes, policy_hash
from spendgate.model.policy import Document, Enforcement, Policy, Rule
from spendgate.model.policy_diff_words import changed_words, rule_words

ChangeKind = Literal["added", "removed", "changed", "moved"]


class Change(NamedTuple):
    """One change. ``field`` is a path of the new policy (of the old one, where ``kind`` is removed).

    ``before`` and ``after`` are values of the canonical form, None where there is none.
    """

    field: str
    kind: ChangeKind
    before: Any
    after: Any
    words: str


class KeptBudget(NamedTuple):
    """A budget of the new policy, the number of its rule in the old one (None for a new rule), and whether it
    counts the same calls in the same windows and groups as before, so that its recorded sums stay what they are."""

    rule: int
    was: int | None
    counts_the_same: bool


@dataclass(frozen=True, slots=True)
class PolicyDiff:
    """Two versions by hash, every change between them, and what becomes of the counters of the new one's budgets."""

    before_hash: str
    after_hash: str
    changes: tuple[Change, ...]
    budgets: tuple[KeptBudget, ...]

    @property
    def same(self) -> bool:
        """Whether both are one version."""
        return self.before_hash == self.after_hash

    @property
    def resets_counters(self) -> bool:
        """Whether staging the new version begins counters anew: every staging of a budget does, seeded from history."""
        return not self.same and bool(self.budgets)

    @property
    def verdicts_may_change(self) -> bool:
        """Whether anything changed that a verdict hangs on: names, prose, reviewers and the order of rules don't."""
        return any(_decides(change) for change in self.changes)


def diff_policies(before: Policy, after: Policy) -> PolicyDiff:
    """Every change that leads from ``before`` to ``after``."""
    pairs = pair_rules(before.spec.rules, after.spec.rules)
    changes = [
        *_fields("metadata", _form(before.metadata), _form(after.metadata)),
        *_fields("spec.scope", _scope(before), _scope(after)),
        *_rules(before.spec.rules, after.spec.rules, pairs),
        *_fields("spec", {"on_unpriced": before.spec.on_unpriced}, {"on_unpriced": after.spec.on_unpriced}),
        *_fields("spec.enforcement", _enforcement(before), _enforcement(after)),
    ]
    return PolicyDiff(policy_hash(before), policy_hash(after), tuple(changes), tuple(_budgets(before, after, pairs)))


def _form(part: Document) -> dict[str, Any]:
    return dict(json.loads(canonical_bytes(part)))


def _scope(policy: Policy) -> dict[str, Any]:
    form = _form(policy.spec.scope)
    exclude = form.pop("exclude", {})
    return form | {f"exclude.{name}": globs for name, globs in exclude.items()}


def _enforcement(policy: Policy) -> dict[str, Any]:
    return Enforcement().model_dump() | _form(policy.spec.enforcement)


def _decides(change: Change) -> bool:
    about_people = change.field.endswith((".reviewers", ".expires", ".on_expiry"))
    about_blocking = change.field.startswith("spec.enforcement.")
    return change.field.startswith("spec.") and change.kind != "moved" and not about_people and not about_blocking


def _fields(path: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[Change]:
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(name), after.get(name)
        if old != new:
            kind: ChangeKind = "added" if old is None else "removed" if new is None else "changed"
            yield Change(f"{path}.{name}", kind, old, new, changed_words(name, old, new, scope=path == "spec.scope"))


Pair = tuple[int | None, int | None]


def pair_rules(before: Sequence[Rule], after: Sequence[Rule]) -> list[Pair]:
    """Which rule became which, by index; None on a side that has none. New rules in order, then the lost ones."""
    old, new = [canonical_bytes(rule) for rule in before], [canonical_bytes(rule) for rule in after]
    became: dict[int, int] = {}
    for block in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
        became |= {block.b + i: block.a + i for i in range(block.size)}
    for likeness in (_says_the_same, _shared_fields):
        _pair_rest(before, after, became, likeness)
    lost = [i for i in range(len(before)) if i not in became.values()]
    return [*((became.get(i), i) for i in range(len(after))), *((i, None) for i in lost)]


def _pair_rest(before: Sequence[Rule], after: Sequence[Rule], became: dict[int, int], likeness: Any) -> None:
    """Pair what is left, the most alike first."""
    rest = [(i, j) for j in range(len(after)) if j not in became for i in range(len(before))]
    scored = sorted((-likeness(before[i], after[j]), j, i) for i, j in rest)
    for score, j, i in scored:
        if score < 0 and j not in became and i not in became.values():
            became[j] = i


def _says_the_same(before: Rule, after: Rule) -> int:
    return int(canonical_bytes(before) == canonical_bytes(after))


def _shared_fields(before: Rule, after: Rule) -> int:
    """0 for rules of two kinds; else one more than the fields that say the same."""
    (kind, old), (other, new) = _body(before), _body(after)
    return 0 if kind != other else 1 + sum(name in new and new[name] == value for name, value in old.items())


def _body(rule: Rule) -> tuple[str, dict[str, Any]]:
    """The kind of a rule, and its fields; those within fields (``models``, ``when``) by dotted names."""
    ((kind, fields),) = _form(rule).items()
    flat: dict[str, Any] = {}
    for name, value in fields.items():
        nested = isinstance(value, dict) and name != "window"
        flat |= {f"{name}.{inner}": each for inner, each in value.items()} if nested else {name: value}
    return kind, flat


def _rules(before: Sequence[Rule], after: Sequence[Rule], pairs: list[Pair]) -> Iterator[Change]:
    in_place = _in_order([(old, new) for old, new in pairs if old is not None and new is not None])
    for old, new in pairs:
        if new is None and old is not None:
            body = _body(before[old])
            yield Change(f"spec.rules[{old}]", "removed", _form(before[old]), None, f"removed: {rule_words(*body)}")
        elif old is None and new is not None:
            body = _body(after[new])
            yield Change(f"spec.rules[{new}]", "added", None, _form(after[new]), f"added: {rule_words(*body)}")
        elif old is not None and new is not None:
            if (old, new) not in in_place:
                words = f"was rules[{old}]: the order of rules is part of a version"
                yield Change(f"spec.rules[{new}]", "moved", old, new, words)
            kind, fields = _body(after[new])
            yield from _fields(f"spec.rules[{new}].{kind}", _body(before[old])[1], fields)


def _in_order(pairs: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """The most pairs that keep their order, so that few are told as moved."""
    best: list[list[tuple[int, int]]] = []
    for pair in pairs:
        best.append([*_longest([kept for kept in best if kept[-1][0] < pair[0]]), pair])
    return set(_longest(best))


def _longest(kept: list[list[tuple[int, int]]]) -> list[tuple[int, int]]:
    return max(kept, key=lambda each: len(each), default=[])


def _budgets(before: Policy, after: Policy, pairs: list[Pair]) -> Iterator[KeptBudget]:
    same_scope = _scope(before) == _scope(after)
    for old, new in pairs:
        if new is None or after.spec.rules[new].budget is None:
            continue
        was = None if old is None else _body(before.spec.rules[old])[1]
        fields = _body(after.spec.rules[new])[1]
        same = same_scope and was is not None and all(was[name] == fields[name] for name in ("window", "per"))
        yield KeptBudget(new, old, same)
