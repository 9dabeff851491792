"""What is legal in a policy and probably not meant: rules that can never decide, and names that nobody has.

A finding is a warning: the policy does exactly what it says. ``lint`` looks at one policy, ``lint_together``
at all that are checked at once, ``lint_names`` at names against values that are known to occur.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from spendgate.model.canonical import canonical_bytes
from spendgate.model.event import SCOPE_FIELDS
from spendgate.model.money import percent_of_nano_usd
from spendgate.model.policy import Boundary, Budget, Policy, Scope, Selection
from spendgate.model.policy_caps import caps_that_cannot_bind
from spendgate.model.policy_globs import covers, covers_all, disjoint, has_open_bracket, matches_any
from spendgate.model.policy_overlap import decided_already
from spendgate.model.policy_problems import Path, nearest
from spendgate.model.text import NONE

Known = Mapping[str, Sequence[str]]
"""By scope field, the values that are known to occur."""
Warnings: TypeAlias = Iterator[tuple[Path, str]]


class Finding(NamedTuple):
    """One warning: where in the policy, what it means, and a known value that is near."""

    path: Path
    message: str
    nearest: str | None = None


def lint(policy: Policy) -> list[Finding]:
    """Warnings on one policy, in no particular order."""
    checks: tuple[Callable[[Policy], Warnings], ...] = (
        _scope_that_matches_nothing,
        _open_brackets,
        _names_beyond_scope,
        _allowed_and_denied,
        _thresholds_at_the_edge,
        caps_that_cannot_bind,
        decided_already,
        _rules_written_twice,
    )
    return [Finding(path, message) for check in checks for path, message in check(policy)]


def lint_names(policy: Policy, known: Known) -> list[Finding]:
    """Globs of ``policy`` that match none of the values known for their field."""
    return [
        Finding((*path, i), f"matches no known {field}", nearest(glob, known[field]))
        for path, field, globs in _lists(policy)
        if field in known
        for i, glob in enumerate(globs)
        if glob != NONE and not any(matches_any([glob], value) for value in known[field])
    ]


def lint_together(policies: Sequence[Policy]) -> list[tuple[int, Finding]]:
    """Warnings that need several policies; each with the index of the policy that it is about."""
    return [*_repeated_names(policies), *_rival_caps(policies)]


def _repeated_names(policies: Sequence[Policy]) -> Iterator[tuple[int, Finding]]:
    seen: set[str] = set()
    for i, policy in enumerate(policies):
        if policy.metadata.name in seen:
            yield i, Finding(("metadata", "name"), "another policy here has this name")
        seen.add(policy.metadata.name)


def _rival_caps(policies: Sequence[Policy]) -> Iterator[tuple[int, Finding]]:
    """Budgets of different policies that count the same calls in the same windows under different caps."""
    seen: dict[tuple[object, ...], dict[str, int]] = defaultdict(dict)
    for i, policy in enumerate(policies):
        for path, budget in _budgets(policy):
            what = (canonical_bytes(policy.spec.scope), canonical_bytes(budget.window), tuple(budget.per))
            others = [name for name, cap in seen[what].items() if cap != budget.cap_nano_usd]
            if others and policy.metadata.name not in seen[what]:
                message = f"policy {others[0]} caps the same spend at another amount"
                yield i, Finding((*path, "cap_usd"), message)
            seen[what].setdefault(policy.metadata.name, budget.cap_nano_usd)


def _budgets(policy: Policy) -> Iterator[tuple[Path, Budget]]:
    for i, rule in enumerate(policy.spec.rules):
        if rule.budget:
            yield ("spec", "rules", i, "budget"), rule.budget


def _boundaries(policy: Policy) -> Iterator[tuple[Path, Boundary]]:
    for i, rule in enumerate(policy.spec.rules):
        if rule.boundary:
            yield ("spec", "rules", i, "boundary"), rule.boundary


def _selected(selection: Selection, path: Path) -> Iterator[tuple[Path, str, list[str]]]:
    for field in SCOPE_FIELDS:
        if globs := getattr(selection, field):
            yield (*path, field), field, globs


def _rule_lists(policy: Policy) -> Iterator[tuple[Path, str, list[str]]]:
    """Every list of models or vendors that a rule holds: path, scope field, globs."""
    for path, boundary in _boundaries(policy):
        for field in ("model", "vendor"):
            limit = getattr(boundary, f"{field}s")
            for side in ("allow", "deny") if limit else ():
                if globs := getattr(limit, side):
                    yield (*path, f"{field}s", side), field, globs
    for i, rule in enumerate(policy.spec.rules):
        for field in ("model", "vendor") if rule.review else ():
            if rule.review and (globs := getattr(rule.review.when, f"{field}s")):
                yield ("spec", "rules", i, "review", "when", f"{field}s"), field, globs


def _lists(policy: Policy) -> Iterator[tuple[Path, str, list[str]]]:
    scope = policy.spec.scope
    yield from _selected(scope, ("spec", "scope"))
    yield from _selected(scope.exclude or Selection(), ("spec", "scope", "exclude"))
    yield from _rule_lists(policy)


def _scope_that_matches_nothing(policy: Policy) -> Warnings:
    scope = policy.spec.scope
    for path, field, excluded in _selected(scope.exclude or Selection(), ("spec", "scope", "exclude")):
        included = getattr(scope, field) or ["*", NONE]
        if covers_all(excluded, included):
            yield path, f"removes every {field} of the scope: the policy looks at no call"
        elif getattr(scope, field):
            yield from _excludes_at_odds(scope, field, path, excluded)


def _excludes_at_odds(scope: Scope, field: str, path: Path, excluded: list[str]) -> Warnings:
    included: list[str] = getattr(scope, field)
    for i, glob in enumerate(included):
        if covers(excluded, glob):
            yield ("spec", "scope", field, i), "exclude removes all that this matches"
    for i, glob in enumerate(excluded):
        if disjoint([glob], included):
            yield (*path, i), f"removes nothing: the scope holds no such {field}"


def _open_brackets(policy: Policy) -> Warnings:
    for path, _, globs in _lists(policy):
        for i, glob in enumerate(globs):
            if has_open_bracket(glob):
                yield (*path, i), "[ without ] stands for itself, and is no set of characters"


def _names_beyond_scope(policy: Policy) -> Warnings:
    """Models and vendors of rules that the policy's own scope never lets through."""
    scope = policy.spec.scope
    for path, field, globs in _rule_lists(policy):
        within, without = getattr(scope, field), getattr(scope.exclude, field, None)
        for i, glob in enumerate(globs):
            if (within and disjoint([glob], within)) or (without and covers(without, glob)):
                yield (*path, i), f"matches nothing: the scope holds no such {field}"


def _allowed_and_denied(policy: Policy) -> Warnings:
    for path, boundary in _boundaries(policy):
        for name in ("models", "vendors"):
            limit = getattr(boundary, name)
            for i, glob in enumerate(limit.allow or () if limit else ()):
                if covers(limit.deny or (), glob):
                    yield (*path, name, "allow", i), "allows nothing: deny takes in all of it, and wins"


def _thresholds_at_the_edge(policy: Policy) -> Warnings:
    """A threshold that is the cap is reached without a breach by exactly the cap; one of zero by anything."""
    for path, budget in _budgets(policy):
        cap = budget.cap_nano_usd
        where = (*path, "warn_at_percent")
        if cap == 0 and budget.warn_at_percent:
            yield where, "a cap of zero is reached by a call that costs nothing: all that fits warns"
        elif any(percent_of_nano_usd(percent, cap) == cap for percent in budget.warn_at_percent):
            yield where, "the last warns only of spend that is exactly the cap: anything more is a breach"


def _rules_written_twice(policy: Policy) -> Warnings:
    seen: dict[bytes, int] = {}
    for i, rule in enumerate(policy.spec.rules):
        first = seen.setdefault(canonical_bytes(rule), i)
        if first != i:
            yield ("spec", "rules", i), f"says the same as rules[{first}]"
