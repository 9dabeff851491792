"""What the shadow agent counts, once a batch; no label has more values than are listed here."""

from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import get_args

from prometheus_client import Counter, Gauge, Histogram

from agents import policy_metrics
from spendgate.model.activation import Action
from spendgate.model.decision import VERDICTS, Decision
from spendgate.model.decode import ReasonCode
from spendgate.model.rejection import Rejection
from telemetry.tracing import trace_label

EVENTS = Counter("spendgate_events", "Events taken from the log, by what became of them", ["outcome"])
DECISIONS = Counter("spendgate_decisions", "Decisions published, by verdict", ["verdict"])
REJECTED = Counter("spendgate_rejected", "Records set aside, by reason", ["reason"])
ACTIVATIONS = Counter("spendgate_activations", "Activations passed, by action", ["action"])
LAG = Histogram(
    "spendgate_decision_lag_seconds", "From the broker's append of an event to its decision's acknowledgement",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600),
)  # fmt: skip
LAST = Gauge("spendgate_last_event_timestamp_seconds", "When the last event that was judged had been appended")
BATCH = Histogram("spendgate_batch_seconds", "Time to judge, publish and apply one batch")
REBUILT = Counter("spendgate_rebuilt_events", "Events of the log that were applied again to counters")
OUTCOMES = ("judged", "duplicate", "annotation", "rejected")
SEEDED = Counter("spendgate_seeds", "Seeds built for stagings")


def _begin_at_zero() -> None:
    """So that the first of each is seen as an increase."""
    kinds = (
        (EVENTS, OUTCOMES),
        (DECISIONS, VERDICTS),
        (REJECTED, get_args(ReasonCode)),
        (ACTIVATIONS, get_args(Action)),
    )
    for counter, values in kinds:
        for value in values:
            counter.labels(value)


_begin_at_zero()


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
        LAG.observe(max(0.0, (now - oldest_received).total_seconds()), _example(decisions))
        LAST.set(oldest_received.timestamp())
    BATCH.observe(seconds)
    policy_metrics.count(decisions)


def _example(decisions: Sequence[Decision]) -> dict[str, str] | None:
    """The exemplar of a batch: where its first decision stands in the log, and the trace that it is part of."""
    if not decisions:
        return None
    place = decisions[0].position
    return {"partition": str(place.partition), "offset": str(place.offset), **trace_label()}
