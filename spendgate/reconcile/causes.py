"""The cause of a difference, from evidence in the two decisions and in the ledger; what has none is ``unexplained``.

The tests go from what explains everything after it (another engine, other stagings) to what explains one sum.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from spendgate.model.decision import Decision, Reason
from spendgate.model.reconciliation import Cause
from spendgate.reconcile.join import Difference

Rule = tuple[str, int]


class Corrections(Protocol):
    """What later corrections of the log say about calls and their sums."""

    def cost_of(self, decision: Decision) -> int | None:
        """What the call of a decision should have cost, by a correction; None without one."""

    def explain(self, owed: Decision, reason: Reason, off_nano_usd: int) -> bool:
        """Whether corrections account for exactly so much of a recorded sum."""


class NoCorrections:
    """A log without any."""

    def cost_of(self, decision: Decision) -> int | None:
        """See Corrections."""
        return None

    def explain(self, owed: Decision, reason: Reason, off_nano_usd: int) -> bool:
        """See Corrections."""
        return False


class Evidence(NamedTuple):
    """What the ledger says of the call: whether it has it, whether as a duplicate, whether it stands behind the last
    call that shadow has judged, why shadow set it aside, whether its identity was accepted before at all, and what was
    corrected."""

    is_in_ledger: bool = True
    is_duplicate: bool = False
    is_behind_the_last: bool = False
    rejected: str | None = None
    is_known_before: bool = False
    corrections: Corrections = NoCorrections()


NO_EVIDENCE = Evidence()


class Explained(NamedTuple):
    """A difference with its cause; ``stagings``: those it touches, None for all that judged the call."""

    difference: Difference
    cause: Cause
    stagings: frozenset[str] | None
    words: str


def explained(difference: Difference, evidence: Evidence = NO_EVIDENCE) -> Explained:
    """Find the cause."""
    owed, found = difference.owed, difference.found
    if owed is None or found is None:
        cause = _of_one(difference, evidence)
        words = f"{_WORDS[cause]}: {evidence.rejected}" if cause == "rejected" else _WORDS[cause]
        return Explained(difference, cause, None, words)
    head = _of_heads(owed, found, evidence)
    if head is not None:
        return Explained(difference, head[0], None, head[1])
    return Explained(difference, *_of_reasons(owed, found, evidence))


def _of_one(difference: Difference, evidence: Evidence) -> Cause:
    if evidence.rejected is not None:
        return "rejected"
    if difference.kind == "missing":
        if evidence.is_behind_the_last:
            return "not_yet_judged"
        return "duplicate" if evidence.is_known_before else "unexplained"
    if evidence.is_duplicate:
        return "duplicate"
    return "unexplained" if evidence.is_in_ledger else "not_in_ledger"


def _of_heads(owed: Decision, found: Decision, evidence: Evidence) -> tuple[Cause, str] | None:
    """What explains all reasons at once."""
    if owed.engine_version != found.engine_version:
        return "evaluator_changed", f"judged by engine {found.engine_version}, replayed by {owed.engine_version}"
    if owed.judged.set != found.judged.set:
        return "activation_skew", _WORDS["activation_skew"]
    if owed.cost_nano_usd != found.cost_nano_usd:
        words = f"judged at {found.cost_nano_usd} nano-USD, the ledger has {owed.cost_nano_usd}"
        corrected = evidence.corrections.cost_of(owed)
        if corrected is not None and corrected in (owed.cost_nano_usd, found.cost_nano_usd):
            return "corrected", f"{words}; a correction says {corrected}"
        return "repriced", words
    for mark in ("late", "clock_skew"):
        if (mark in owed.marks) != (mark in found.marks):
            return mark, _WORDS[mark]  # no budget looks at a late call, so fewer rules have
    if owed.judged != found.judged:
        return "activation_skew", _WORDS["activation_skew"]
    return None


def _of_reasons(owed: Decision, found: Decision, evidence: Evidence) -> tuple[Cause, frozenset[str] | None, str]:
    pairs = list(_pairs(owed, found))
    moved = [a for a, b in pairs if (a.window_start, a.window_end) != (b.window_start, b.window_end)]
    if moved:
        return "window_edge", _touched(owed, found), _WORDS["window_edge"]
    for a, b in pairs:
        if _sums(a) != _sums(b):
            return *_of_sums(owed, a, b, evidence), _touched(owed, found), _off_by(a, b)
    cause: Cause = "altered_decision" if any(a != b for a, b in pairs) else "unexplained"
    return cause, _touched(owed, found), _WORDS[cause]


def _of_sums(owed: Decision, mine: Reason, theirs: Reason, evidence: Evidence) -> tuple[Cause]:
    """A counter that held nothing where something was owed was lost; one that is off by what corrections changed had
    them, or had them not; any other sum was altered."""
    off = (theirs.recorded_before_nano_usd or 0) - (mine.recorded_before_nano_usd or 0)
    if off and evidence.corrections.explain(owed, mine, off):
        return ("corrected",)
    return ("counter_lost",) if not any(_sums(theirs)) and any(_sums(mine)) else ("counter_altered",)


def _off_by(owed: Reason, found: Reason) -> str:
    by = (found.recorded_before_nano_usd or 0) - (owed.recorded_before_nano_usd or 0)
    admitted = (found.used_before_nano_usd or 0) - (owed.used_before_nano_usd or 0)
    where = f"{owed.policy}, rule {owed.rule}, {owed.counter}"
    return f"{where}: the counter was off by {by} nano-USD recorded, {admitted} admitted"


def _sums(reason: Reason) -> tuple[int, int]:
    return reason.recorded_before_nano_usd or 0, reason.used_before_nano_usd or 0


def _pairs(owed: Decision, found: Decision) -> Iterator[tuple[Reason, Reason]]:
    """The reasons that both list, rule by rule."""
    theirs = {_rule(reason): reason for reason in found.reasons}
    for reason in owed.reasons:
        if (other := theirs.get(_rule(reason))) is not None:
            yield reason, other


def _touched(owed: Decision, found: Decision) -> frozenset[str] | None:
    """The stagings of reasons that are not the same in both; all that judged where the reasons are the same."""
    differing = set(owed.reasons) ^ set(found.reasons)
    return frozenset(reason.staging for reason in differing) or None


def _rule(reason: Reason) -> Rule:
    return reason.staging, reason.rule


_WORDS: dict[Cause, str] = {
    "activation_skew": "other stagings were in force when it was judged than the log says",
    "late": "one of the two took it for late",
    "clock_skew": "one of the two took its clock for wrong",
    "window_edge": "it was counted in another window",
    "duplicate": "one of the two took it for a repeat, which owes no decision",
    "rejected": "shadow set it aside",
    "not_in_ledger": "the ledger has no such call",
    "not_yet_judged": "shadow has not come so far",
    "altered_decision": "the same sums and not the same verdict: the decision was altered, or the engine is wrong",
    "unexplained": "no evidence of a cause",
}
