"""A sweep says of each cap what a run of the policy with that cap says, to the call."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spendgate.engine.columns import Names
from spendgate.engine.rules import Int
from spendgate.engine.stream import NotStreamable, StreamJudge
from spendgate.engine.stream_exact import ExactJudge
from spendgate.engine.sweep import SweepJudge, TooManyKeys, new_counts, without_budgets
from spendgate.engine.sweep_kernel import SweepCounts
from spendgate.engine.sweep_state import VariantRows
from spendgate.engine.table import new_table
from spendgate.ledger.arrow_values import dictionary_of
from spendgate.model.event import Event
from spendgate.model.policy import Policy
from spendgate.simulate.arrow_columns import columns_of, identities_of
from spendgate.simulate.variants import Target
from tests.engine.scenes import budget, call, log_of, policy
from tests.engine.test_stream import batch_of
from tests.oracle.documents import Record
from tests.strategies import Log, batches, logs

WINDOWS = 3
DAY = {"calendar": "day", "timezone": "UTC"}


class Swept(NamedTuple):
    counts: SweepCounts
    owners: list[str | None]
    judge: SweepJudge


def window_of(judged_ms: Int) -> Int:
    """Any numbering will do; -1 is counted in none."""
    numbers: Int = judged_ms // 3_600_000 % (WINDOWS + 1) - 1
    return numbers


def swept(variants: Sequence[Policy], cut: Sequence[Sequence[Record]], *, refuse: bool, rows: int = 1024) -> Swept:
    """What a sweep counts; every third call ended accepted, and teams are the owners."""
    judge = SweepJudge(variants, new_counts(WINDOWS, len(variants)), refuse_reviews=refuse)
    judge._state.rows = VariantRows(new_table(rows), np.zeros((rows, len(variants)), np.int64))
    others, owners, counts = StreamJudge([without_budgets(variants[0])]), Names(), judge.counts
    for records in cut:
        batch = batch_of(records)
        said = others.judge(columns_of(batch, others.names), identities_of(batch))
        counts = judge.judge(
            columns_of(batch, judge.names), said.timed, said.by_policy[0], window=window_of(said.timed.judged_ms),
            accepted=_accepted(said.timed.judged_ms), owner=owners.numbers(*dictionary_of(batch["team"])),
            owners=len(owners.values),
        )  # fmt: skip
    return Swept(counts, owners.values, judge)


def _accepted(judged_ms: Int) -> Int:
    accepted: Int = (judged_ms // 1000 % 3 == 0).astype(np.int64)
    return accepted


def alone(which: Policy, cut: Sequence[Sequence[Record]], *, refuse: bool) -> tuple[list[list[int]], set[str | None]]:
    """The same of one policy, counted from the kernel of the live path: a row a window, and who was denied."""
    judge, owners = ExactJudge([which], refuse_reviews=refuse), set[str | None]()
    sums = [[0] * 6 for _ in range(WINDOWS)]
    for records in cut:
        batch = batch_of(records)
        columns = columns_of(batch, judge.names)
        said = judge.judge(columns, identities_of(batch))
        teams = batch["team"].to_pylist()
        windows, accepted = window_of(said.timed.judged_ms), _accepted(said.timed.judged_ms)
        for at, verdict in enumerate(said.by_policy[0].tolist()):
            if verdict >= 0 and windows[at] >= 0:
                cost, won = max(0, int(columns.cost[at])), int(accepted[at])
                denied = int(verdict >= (2 if refuse else 3))
                found = (denied, denied * cost, denied * won, int(verdict == 1), won, cost)
                sums[windows[at]] = [a + b for a, b in zip(sums[windows[at]], found, strict=True)]
                owners |= {teams[at]} if denied else set()
    return sums, owners


@given(data=st.data(), log=logs(), refuse=st.booleans(), rows=st.sampled_from([1, 2, 1024]))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_each_variant_of_a_sweep_counts_what_its_policy_alone_would(
    data: st.DataObject, log: Log, refuse: bool, rows: int
) -> None:
    targets = [
        Target(each, rule)
        for each in log.documents.values()
        for rule, one in enumerate(each.spec.rules)
        if one.budget is not None
    ]
    records = [r for r in log.records if isinstance(r.body, Event) and r.body.tenant == log.records[0].body.tenant]
    if not targets or not records:
        return
    target = data.draw(st.sampled_from(targets))
    caps = data.draw(st.lists(st.sampled_from(["0", "0.001", "0.01", "0.1", "1", "5", "1000"]), min_size=1, max_size=9))
    percents = st.lists(st.integers(1, 99), max_size=2, unique=True)
    variants = [target.with_fields(cap_usd=cap, warn_at_percent=sorted(data.draw(percents))) for cap in caps]
    cut = data.draw(batches(records))
    try:
        found = swept(variants, cut, refuse=refuse, rows=rows)
    except NotStreamable:
        return
    assert_as_alone(variants, cut, found, refuse=refuse)


def assert_as_alone(variants: Sequence[Policy], cut: Sequence[Sequence[Record]], found: Swept, *, refuse: bool) -> None:
    for at, which in enumerate(variants):
        sums, owners = alone(which, cut, refuse=refuse)
        counts = found.counts
        by_variant = (counts.denied, counts.denied_nano_usd, counts.lost, counts.warned)
        mine = [[int(each[n, at]) for each in by_variant] for n in range(WINDOWS)]
        assert [
            [*row, int(a), int(b)] for row, a, b in zip(mine, counts.accepted, counts.nano_usd, strict=True)
        ] == sums
        assert {found.owners[n] for n in np.flatnonzero(counts.hits[: len(found.owners), at])} == owners


BUDGETS = st.builds(
    budget,
    st.sampled_from(["2", "5", "9"]),
    st.sampled_from([DAY, {"calendar": "hour"}, {"rolling": "1h"}, {"rolling": "4h"}, {"lifetime": True}]),
    on_breach=st.sampled_from(["warn", "review", "deny"]),
    per=st.sampled_from([[], ["team"]]),
    warn_at_percent=st.sampled_from([[], [40, 80]]),
)


@st.composite
def crowded(draw: st.DrawFn) -> list[Record]:
    """Calls close together, some of them long on their way; the broker's clock only goes on."""
    found, minutes = [], 0
    for number in range(draw(st.integers(1, 60))):
        minutes += draw(st.sampled_from([0, 1, 7, 40, 90, 400]))
        event = call(
            timedelta(minutes=minutes - draw(st.sampled_from([0, 0, 5, 50, 200]))), f"e{number}",
            draw(st.sampled_from([None, 0, 4 * 10**8, 10**9, 17 * 10**8])), team=draw(st.sampled_from(["red", "blue"])),
        )  # fmt: skip
        taken = log_of(call(timedelta(minutes=minutes), ""))[0].received_at_ms
        found.append(Record(log_of(event)[0].position, taken, event))
    return found


@given(
    rules=st.lists(BUDGETS, min_size=1, max_size=3), reviewed=st.booleans(), records=crowded(), refuse=st.booleans(),
    cut_at=st.integers(0, 60),
)  # fmt: skip
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_variants_count_alike_where_windows_fill_and_calls_overtake_each_other(
    rules: list[dict[str, object]], reviewed: bool, records: list[Record], refuse: bool, cut_at: int
) -> None:
    review = [{"review": {"when": {"cost_usd_over": "1.5"}}}] if reviewed else []
    target = Target(policy(*rules, *review), 0)
    variants = [target.with_fields(cap_usd=cap) for cap in ("0", "1", "2.5", "4", "8", "50")]
    cut = [records[:cut_at], records[cut_at:]] if 0 < cut_at < len(records) else [records]
    try:
        found = swept(variants, cut, refuse=refuse)
    except NotStreamable:
        return
    assert_as_alone(variants, cut, found, refuse=refuse)


def test_windows_that_no_call_can_enter_any_more_are_forgotten() -> None:
    variants = [policy(budget(cap, DAY)) for cap in ("1", "3")]
    records = log_of(*(call(timedelta(days=day // 2), f"e{day}", 10**9) for day in range(60)))
    found = swept(variants, [[record] for record in records], refuse=False, rows=4)
    assert found.counts.denied.sum(axis=0).tolist() == [30, 0]
    assert len(found.judge._state.rows.admitted) < 30


def test_a_sweep_that_would_take_too_much_memory_is_refused() -> None:
    variants = [policy(budget("1", {"rolling": "1h"}, per=["employee"]))] * 400
    calls = [call(timedelta(), f"e{n}", 1, employee=f"e{n}") for n in range(400)]
    with pytest.raises(TooManyKeys):
        swept(variants, [log_of(*calls)], refuse=False)


def test_calls_too_far_out_of_order_for_a_ring_are_refused() -> None:
    variants = [policy(budget("1", {"rolling": "1h"}))]
    with pytest.raises(NotStreamable):
        swept(variants, [_taken_together(call(timedelta(hours=9), "a"), call(timedelta(), "b"))], refuse=False)


def _taken_together(*events: Event) -> list[Record]:
    last = max(record.received_at_ms for record in log_of(*events))
    return [Record(record.position, last, record.body) for record in log_of(*events)]


@pytest.mark.parametrize(
    ("seconds", "denied"),
    [
        ([0, 15 * 239, 15 * 239], [0, 1]),  # the first bucket of 240 still counts
        ([0, 15 * 239, 15 * 240], [0, 0]),  # and leaves with the next one
        ([150, 75, 150], [0, 1]),  # a call that was overtaken counts in windows that end after it
        ([150, 75, 15 * 245], [0, 0]),
    ],
)
def test_a_rolling_window_holds_its_own_bucket_and_the_239_before(seconds: list[int], denied: list[int]) -> None:
    variants = [policy(budget(cap, {"rolling": "1h"})) for cap in ("3", "2")]
    records = _taken_together(*(call(timedelta(seconds=after), f"e{n}") for n, after in enumerate(seconds)))
    assert swept(variants, [records], refuse=False).counts.denied.sum(axis=0).tolist() == denied
