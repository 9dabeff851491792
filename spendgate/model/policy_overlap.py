"""Conditions of boundaries and reviews that another rule of the policy always answers first, no milder."""

from collections.abc import Iterator

from spendgate.model.money import parse_usd
from spendgate.model.policy import BOUNDARY_LIMITS, Boundary, Policy, When
from spendgate.model.policy_caps import SEVERITY
from spendgate.model.policy_globs import covers_all, disjoint
from spendgate.model.policy_problems import Path
from spendgate.model.policy_types import Severity

_MAXIMA = {
    "cost_usd_over": "max_cost_usd",
    "input_tokens_over": "max_input_tokens",
    "output_tokens_over": "max_output_tokens",
}
"""A review's condition, and the boundary's limit that is breached on the same terms: strictly over."""
_Boundaries = list[tuple[int, Boundary]]


def decided_already(policy: Policy) -> Iterator[tuple[Path, str]]:
    """Reviews and maxima that never decide the policy's verdict, since a boundary's is as bad or worse."""
    boundaries = [(i, rule.boundary) for i, rule in enumerate(policy.spec.rules) if rule.boundary]
    for i, rule in enumerate(policy.spec.rules):
        if rule.review:
            yield from _review(i, rule.review.when, boundaries)
        elif rule.boundary:
            yield from _maxima(i, rule.boundary, boundaries)


def _review(index: int, when: When, boundaries: _Boundaries) -> Iterator[tuple[Path, str]]:
    for j, boundary in _no_milder(boundaries, "review"):
        name = _settled_by(when, boundary)
        if name:
            yield (
                ("spec", "rules", index, "review", "when", name),
                f"never decides: rules[{j}] answers {boundary.on_breach} to all such calls",
            )
            return


def _settled_by(when: When, boundary: Boundary) -> str | None:
    """The condition of ``when`` that holds only for calls that breach ``boundary``; conditions are ANDed."""
    for condition, limit in _MAXIMA.items():
        over, most = _amount(when, condition), _amount(boundary, limit)
        if over is not None and most is not None and over >= most:
            return condition
    for name in ("models", "vendors"):
        globs, limits = getattr(when, name), getattr(boundary, name)
        if globs and limits:
            denied = covers_all(limits.deny or [], globs)
            if denied or (limits.allow and disjoint(globs, limits.allow)):
                return name
    return None


def _maxima(index: int, boundary: Boundary, boundaries: _Boundaries) -> Iterator[tuple[Path, str]]:
    for limit in BOUNDARY_LIMITS:
        for j, other in _no_milder(boundaries, boundary.on_breach):
            if j != index and _answers_first(other, boundary, limit, wins_tie=j < index):
                where = ("spec", "rules", index, "boundary", limit)
                yield where, f"never decides: rules[{j}] answers {other.on_breach} from a maximum no higher"
                break


def _answers_first(other: Boundary, boundary: Boundary, limit: str, *, wins_tie: bool) -> bool:
    theirs, ours = _amount(other, limit), _amount(boundary, limit)
    if theirs is None or ours is None or theirs > ours:
        return False
    return wins_tie or theirs < ours or other.on_breach != boundary.on_breach


def _no_milder(boundaries: _Boundaries, severity: Severity) -> _Boundaries:
    return [(j, each) for j, each in boundaries if SEVERITY[each.on_breach] >= SEVERITY[severity]]


def _amount(part: Boundary | When, name: str) -> int | None:
    """A maximum or threshold as a whole number, nano-USD or tokens; None for what is absent or a list."""
    value = getattr(part, name)
    if isinstance(value, str):
        return parse_usd(value)
    return value if isinstance(value, int) else None
