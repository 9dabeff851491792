"""Each criterion says what was measured, what is asked for and how far off it is; the worst one decides."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.ledger.delta_verify import Offsets, verify
from spendgate.model.canonical import policy_hash
from spendgate.model.decision import Decision
from spendgate.model.policy import Budget, Policy
from spendgate.model.reconciliation import (
    Criterion,
    CriterionName,
    Reconciliation,
    Thresholds,
    decode_reconciliation,
    digest_of,
    encode_reconciliation,
)
from spendgate.model.reconciliation_parts import CountersPart, CountersResult
from spendgate.reconcile.asked import Proofs, Wanted
from spendgate.reconcile.run import reconcile
from spendgate.reconcile.windows import last_stretch
from tests.engine.evaluate import evaluate
from tests.engine.scenes import START, TENANT, budget, call, log_of, policy
from tests.oracle.documents import Record
from tests.reconcile.test_reconcile import begun, write
from tests.recorded import LOG

MINUTE = timedelta(minutes=1)
HOURLY = policy(budget("100", {"calendar": "hour"}), name="hourly")


def story(which: Policy = HOURLY, count: int = 30) -> tuple[list[Record], list[Decision]]:
    """A call each ten minutes, each decided two seconds after the broker took it."""
    log = log_of(begun(which), *(call(n * 10 * MINUTE, f"e{n}", team="t") for n in range(1, count)))
    _, owed = evaluate({policy_hash(which): which}, [log])
    return log, [
        msgspec.structs.replace(each, decided_at=each.event_time + timedelta(seconds=2)) for each in owed.values()
    ]


def found(log: list[Record], decisions: list[Decision], which: Policy = HOURLY, **proofs: Any) -> Reconciliation:
    wanted = Wanted(TENANT, to_ms=proofs.pop("to_ms", None), from_ms=proofs.pop("from_ms", None))
    with TemporaryDirectory() as folder:
        ledger = write(Path(folder), log, decisions)
        if (topic := proofs.pop("topic", None)) is not None:
            proofs["verified"] = verify(ledger, {"events": {LOG: topic}})
        return reconcile(ledger, {policy_hash(which): which}, wanted, Proofs(**proofs))


def of(result: Reconciliation, name: CriterionName) -> Criterion:
    criterion = result.criterion(name)
    assert criterion is not None
    return criterion


def test_lag_is_that_of_99_in_100_and_a_call_that_waits_too_long_counts_by_its_age() -> None:
    log, decisions = story()
    result = found(log, decisions)
    assert result.lag is not None
    assert (result.lag.p50_ms, result.lag.p99_ms, result.lag.over, result.lag.waiting) == (2000, 2000, 0, 0)
    late = [msgspec.structs.replace(decisions[0], decided_at=decisions[0].event_time + 5 * MINUTE), *decisions[1:]]
    result = found(log, late)
    assert (of(result, "lag").outcome, of(result, "lag").measured, of(result, "lag").distance) == (
        "fail", 300_000, 240_000,
    )  # fmt: skip
    assert result.lag is not None
    assert result.lag.over == 1
    result = found(log, decisions[:-3])  # the last three wait: for 20 minutes, 10, and not at all
    assert result.lag is not None
    assert (result.lag.waiting, result.lag.max_ms, of(result, "differences").outcome) == (2, 1_200_000, "pass")


def test_offsets_tell_what_a_topic_has_and_the_ledger_has_not_within_the_interval() -> None:
    log, decisions = story()
    end, to_ms = len(log), to_ms_of(log) + 3_600_000
    assert of(found(log, decisions), "offsets").measured is None
    assert of(found(log, decisions, topic=Offsets(0, end)), "offsets").outcome == "pass"
    assert of(found(log, decisions, topic=Offsets(0, end + 5)), "offsets").outcome == "pass"  # after the interval
    open_end = of(found(log, decisions, topic=Offsets(0, end + 5), to_ms=to_ms), "offsets")
    assert (open_end.outcome, open_end.measured, open_end.distance) == ("inconclusive", 5, 5)
    assert of(found(log, decisions, topic=Offsets(0, end - 1)), "offsets").outcome == "fail"


def to_ms_of(log: list[Record]) -> int:
    return log[-1].received_at_ms


def test_a_silent_log_is_known_until_its_topic_was_asked() -> None:
    log, decisions = story()
    later = to_ms_of(log) + 30 * 3_600_000
    result = found(log, decisions, topic=Offsets(0, len(log)), offsets_at_ms=later)
    assert of(result, "hours").outcome == "pass"
    assert of(found(log, decisions, topic=Offsets(0, len(log) + 1), offsets_at_ms=later), "hours").outcome == (
        "inconclusive"
    )


def test_counters_that_are_not_equal_fail_and_those_that_could_not_be_compared_are_not_known() -> None:
    log, decisions = story()
    part = CountersPart(partition=0, topic_id="t", mark=9, cells=40, differing_cells=2)
    unequal = of(found(log, decisions, counters=CountersResult(equal=False, partitions=(part,))), "counters")
    assert (unequal.outcome, unequal.measured, unequal.sample) == ("fail", 2, 40)
    lost = CountersPart(partition=0, topic_id="t", mark=-1, problem="its counters are being rebuilt")
    unknown = of(found(log, decisions, counters=CountersResult(equal=False, partitions=(lost,))), "counters")
    assert (unknown.outcome, unknown.measured) == ("inconclusive", None)
    assert "being rebuilt" in unknown.words


def test_a_policy_without_a_budget_needs_an_answer_of_every_rule() -> None:
    rules: list[dict[str, Any]] = [
        {"boundary": {"max_cost_usd": cost, "on_breach": "deny"}} for cost in ("0.5", "900")
    ]  # fmt: skip
    which = policy(*rules, name="bounded")
    result = found(*story(which), which)
    assert (of(result, "answers").measured, of(result, "answers").threshold) == (1, 2)
    assert result.criterion("near_cap") is None
    assert result.criterion("windows") is None


@pytest.mark.parametrize("window", [{"lifetime": True}, {"calendar": "year"}, {"rolling": "90d"}])
def test_what_is_longer_than_a_month_is_proven_by_thirty_days_of_it_and_told_as_partial(window: dict[str, Any]) -> None:
    which = policy(budget("1000000", window), name="long")
    result = found(*story(which, 40), which)
    (seen,) = result.windows
    assert (seen.partial, seen.observed, seen.to - seen.from_) == (True, False, timedelta(days=30))
    assert of(result, "windows").outcome == "inconclusive"
    shorter = found(*story(which, 40), which, thresholds=Thresholds(long_window_days=1))
    assert of(shorter, "windows").outcome == "inconclusive"  # six hours are no day


UNITS = st.sampled_from(["hour", "day", "week", "month"])
ZONES = st.sampled_from(["UTC", "Asia/Kathmandu", "Europe/Berlin"])


@given(st.integers(0, 4_000_000_000), UNITS, ZONES)
def test_the_stretch_to_be_proven_is_the_last_window_that_has_ended(at_s: int, unit: str, zone: str) -> None:
    which = Budget.model_validate({"cap_usd": "1", "window": {"calendar": unit, "timezone": zone}, "on_breach": "deny"})
    end_ms = at_s * 1000 + 10**12
    last = last_stretch(which, end_ms, 30)
    assert last.from_ms < last.to_ms <= end_ms
    assert last_stretch(which, last.to_ms, 30) == last
    assert last_stretch(which, last.to_ms - 1, 30).to_ms == last.from_ms


def test_the_same_inputs_give_the_same_bytes_and_a_document_comes_back_as_it_was() -> None:
    log, decisions = story()
    first, second = found(log, decisions), found(log, decisions)
    assert encode_reconciliation(first) == encode_reconciliation(second)
    assert decode_reconciliation(encode_reconciliation(first)) == first
    assert digest_of(first) != digest_of(found(log, decisions[:-1]))
    assert first.settings == {"grace_hours": 72, "dedupe_hours": 24, "skew_minutes": 5, "reasons": "nearest"}
    assert first.observed.from_ == START.astimezone(UTC)
    assert datetime.fromtimestamp(to_ms_of(log) / 1000, UTC) <= (first.observed.to or START)
