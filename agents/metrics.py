"""What the shadow agent counts, once a batch; no label has more values than are listed here."""

from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from datetime import datetime

from prometheus_client import Counter, Histogram

from spendgate.model.decision import Decision
from spendgate.model.rejection import Rejection

EVENTS = Counter("spendgate_events", "Events taken from the log, by what became of them", ["outcome"])
DECISIONS = Counter("spendgate_decisions", "Decisions published, by verdict", ["verdict"])
REJECTED = Counter("spendgate_rejected", "Records set aside, by reason", ["reason"])
ACTIVATIONS = Counter("spendgate_activations", "Activations passed, by action", ["action"])
LAG = Histogram(
    "spendgate_decision_lag_seconds", "From the broker's append of an event to its decision's acknowledgement",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600),
)  # fmt: skip
BATCH = Histogram("spendgate_batch_seconds", "Time to judge, publish and apply one batch")
REBUILT = Counter("spendgate_rebuilt_events", "Events of the log that were applied again to counters")
SEEDED = Counter("spendgate_seeds", "Seeds built for stagings")


def count(
    decisions: Sequence[Decision], rejections: Iterable[Rejection], duplicates: int, annotations: int,
    oldest_received: datetime | None, now: datetime, seconds: float,
) -> None:  # fmt: skip
    """Count one applied batch."""
    for verdict, number in Tally(decision.verdict for decision in decisions).items():
        DECISIONS.labels(verdict).inc(number)
    for reason, number in Tally(rejected.reason for rejected in rejections).items():
        REJECTED.labels(reason).inc(number)
        EVENTS.labels("rejected").inc(number)
    for outcome, number in (
        ("judged", len(decisions)),
        ("duplicate", duplicates),
        ("annotation", annotations),
    ):
        EVENTS.labels(outcome).inc(number)
    if oldest_received is not None:
        LAG.observe(max(0.0, (now - oldest_received).total_seconds()))
    BATCH.observe(seconds)
