"""The cause of a difference, from evidence in the two decisions and in the ledger; what has none is ``unexplained``.

The tests go from what explains everything after it (another engine, other stagings) to what explains one sum.
"""

from collections.abc import Iterator
from typing import NamedTuple

from spendgate.model.decision import Decision, Reason
from spendgate.model.reconciliation import Cause
from spendgate.reconcile.join import Difference

Rule = tuple[str, int]


class Evidence(NamedTuple):
    """What the ledger says of the call: whether it has it, whether as a duplicate, and whether it stands behind the
    last call that shadow has judged."""

    is_in_ledger: bool = True
    is_duplicate: bool = False
    is_behind_the_last: bool = False


class Explained(NamedTuple):
    """A difference with its cause; ``stagings``: those it touches (all that judged the call if it is none's own)."""

    difference: Difference
    cause: Cause
    stagings: frozenset[str]
    words: str


def explained(difference: Difference, evidence: Evidence) -> Explained:
    """Find the cause."""
    owed, found = difference.owed, difference.found
    if owed is None or found is None:
        cause = _of_one(difference, evidence)
        whole = owed or found
        stagings = frozenset(reason.staging for reason in whole.reasons) if whole else frozenset()
        return Explained(difference, cause, stagings, _WORDS[cause])
    cause, words = _of_two(owed, found)
    return Explained(difference, cause, _touched(owed, found), words)


def _of_one(difference: Difference, evidence: Evidence) -> Cause:
    if difference.kind == "missing":
        return "not_yet_judged" if evidence.is_behind_the_last else "unexplained"
    if evidence.is_duplicate:
        return "duplicate"
    return "unexplained" if evidence.is_in_ledger else "not_in_ledger"


def _of_two(owed: Decision, found: Decision) -> tuple[Cause, str]:
    if owed.engine_version != found.engine_version:
        return "evaluator_changed", f"judged by engine {found.engine_version}, replayed by {owed.engine_version}"
    if owed.judged != found.judged:
        return "activation_skew", _WORDS["activation_skew"]
    if owed.cost_nano_usd != found.cost_nano_usd:
        return "repriced", f"judged at {found.cost_nano_usd} nano-USD, the ledger has {owed.cost_nano_usd}"
    for mark in ("late", "clock_skew"):
        if (mark in owed.marks) != (mark in found.marks):
            return mark, _WORDS[mark]
    return _of_reasons(owed, found)


def _of_reasons(owed: Decision, found: Decision) -> tuple[Cause, str]:
    pairs = list(_pairs(owed, found))
    if any((a.window_start, a.window_end) != (b.window_start, b.window_end) for a, b in pairs):
        return "window_edge", _WORDS["window_edge"]
    for a, b in pairs:
        if _sums(a) != _sums(b):
            return _of_sums(a, b)
    cause: Cause = "altered_decision" if any(a != b for a, b in pairs) else "unexplained"
    return cause, _WORDS[cause]


def _of_sums(owed: Reason, found: Reason) -> tuple[Cause, str]:
    """A counter that held nothing where something was owed was lost; any other sum was altered."""
    cause: Cause = "counter_lost" if not any(_sums(found)) and any(_sums(owed)) else "counter_altered"
    by = (found.recorded_before_nano_usd or 0) - (owed.recorded_before_nano_usd or 0)
    admitted = (found.used_before_nano_usd or 0) - (owed.used_before_nano_usd or 0)
    where = f"{owed.policy}, rule {owed.rule}, {owed.counter}"
    return cause, f"{where}: the counter was off by {by} nano-USD recorded, {admitted} admitted"


def _sums(reason: Reason) -> tuple[int, int]:
    return reason.recorded_before_nano_usd or 0, reason.used_before_nano_usd or 0


def _pairs(owed: Decision, found: Decision) -> Iterator[tuple[Reason, Reason]]:
    """The reasons that both list, rule by rule."""
    theirs = {_rule(reason): reason for reason in found.reasons}
    for reason in owed.reasons:
        if (other := theirs.get(_rule(reason))) is not None:
            yield reason, other


def _touched(owed: Decision, found: Decision) -> frozenset[str]:
    """The stagings of reasons that are not the same in both; of all reasons where only the heads differ."""
    mine, theirs = set(owed.reasons), set(found.reasons)
    differing = mine ^ theirs or mine | theirs
    return frozenset(reason.staging for reason in differing)


def _rule(reason: Reason) -> Rule:
    return reason.staging, reason.rule


_WORDS: dict[Cause, str] = {
    "activation_skew": "other stagings were in force when it was judged than the log says",
    "late": "one of the two took it for late",
    "clock_skew": "one of the two took its clock for wrong",
    "window_edge": "it was counted in another window",
    "duplicate": "the ledger has it as a repeat, which owes no decision",
    "not_in_ledger": "the ledger has no such call",
    "not_yet_judged": "shadow has not come so far",
    "altered_decision": "the same sums and not the same verdict: the decision was altered, or the engine is wrong",
    "unexplained": "no evidence of a cause",
}
