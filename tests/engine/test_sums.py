"""A counter stops at 2^62 - 1: nothing overflows, verdicts stay right, and a reset is that of the true sums."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.engine import calls, decisions, staging, tenant
from spendgate.engine.counters import MAX_SUM
from spendgate.engine.preview import Previews, is_enough
from spendgate.engine.windows import BLOCK, BUCKETS, bucket_width_ms
from spendgate.model.canonical import usd_text
from spendgate.model.decision import Reason
from spendgate.model.event import Event
from spendgate.model.policy import Policy
from tests.engine.evaluate import AT, evaluate
from tests.engine.plain import plain
from tests.engine.scenes import START, TENANT, budget, call, examples, judge_of, log_of, policy, staged
from tests.oracle.documents import to_instant, to_ms
from tests.strategies import policy_hash

DEAREST = 2**53 - 1
MINUTES = 24 * 60
WIDTH_MS = bucket_width_ms(MINUTES)
BUCKET = to_ms(START) // WIDTH_MS
WINDOWS = [{"lifetime": True}, {"calendar": "day", "timezone": "UTC"}, {"rolling": "24h"}]


def as_compiled(name: str) -> ModuleType:
    return {module.__name__: module for module in (calls, decisions, staging, tenant)}[name]


Engine = Callable[[str], ModuleType]
BOTH = pytest.mark.parametrize("engine", [as_compiled, plain], ids=["compiled", "plain"])


class Answer(NamedTuple):
    reason: Reason
    increments: dict[str, dict[str, int]]


def judge(engine: Engine, which: Policy, event: Event, stored: Mapping[int, tuple[int, int]]) -> Answer:
    """One call, by one rule whose buckets hold (admitted, recorded); a window's one cell is bucket 0."""
    force = engine("spendgate.engine.staging")
    begun = force.Staging("staging", which.metadata.name, "hash", "shadow", 0)
    document = force.TenantDocument(stagings=(begun,), settings={"reasons": "all"})
    judge = engine("spendgate.engine.tenant").Tenant(TENANT, document, {"hash": which})
    batch = engine("spendgate.engine.calls").Calls()
    batch.add_message(0, to_ms(event.time), [0], [event])
    prepared = judge.prepare(batch)
    judge.load({slot: _values(slot, fields, stored) for slot, fields in judge.unloaded().items()})
    judged, changes = judge.judge(prepared, {})
    source = engine("spendgate.engine.decisions").Source("spend.events", "id", 0)
    (decision,) = judge.decisions(source, judged, AT)
    (reason,) = decision.reasons
    return Answer(reason, changes.increments)


def _values(slot: str, fields: list[str], stored: Mapping[int, tuple[int, int]]) -> list[int]:
    block = int(slot.split(" ")[-1]) * 16 if len(fields) > 2 else 0
    return [stored.get(block + int(name[1:].split(" ")[0]), (0, 0))[name[0] == "r"] for name in fields]


def _totals(stored: Mapping[int, tuple[int, int]], block: int) -> list[int]:
    mine = [stored.get(BLOCK * block + bucket, (0, 0)) for bucket in range(BLOCK)]
    return [min(sum(each[which] for each in mine), MAX_SUM) for which in (0, 1)]


def previewed(which: Policy, event: Event, stored: Mapping[int, tuple[int, int]]) -> Reason | None:
    """As ``judge``, by the sums of a preview's windows; None where these are not enough."""
    judge, at_ms = judge_of(which), to_ms(event.time)
    preview = Previews(judge).of(event, at_ms)
    (window,) = preview.windows
    cells = [
        _totals(stored, int(slot.split(" ")[-1])) if heads[0][0] == "A" else _buckets(slot, heads, stored)
        for slot, heads in window.slots
    ]
    assert sum(map(len, cells)) <= 60
    batch = calls.Calls()
    batch.add_message(0, at_ms, [0], [event])
    judged = preview.consider(batch, at_ms, [sum(sum(each[side::2]) for each in cells) for side in (0, 1)])
    if not is_enough(judged):
        return None
    source = decisions.Source("spend.events", "id", 0)
    (decision,) = preview.decisions(source, judged, preview.keys(event), AT)
    (reason,) = decision.reasons
    return reason


def _buckets(slot: str, fields: Sequence[str], stored: Mapping[int, tuple[int, int]]) -> list[int]:
    block = int(slot.split(" ")[-1]) * BLOCK
    return [stored.get(block + int(name[1:].split(" ")[0]), (0, 0))[name[0] == "r"] for name in fields]


@given(
    stored=st.dictionaries(
        st.integers(BUCKET - BUCKETS - 20, BUCKET + 20), st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)),
        max_size=40,
    ),
    cap=st.integers(1, 2 * 10**10), cost=st.integers(0, 10**10), at=st.integers(0, BLOCK - 1),
)  # fmt: skip
def test_a_preview_sees_what_the_judge_of_all_buckets_sees(
    stored: dict[int, tuple[int, int]], cap: int, cost: int, at: int
) -> None:
    which = capped(cap, {"rolling": "24h"})
    event = call(timedelta(milliseconds=at * WIDTH_MS), "e", cost)
    seen = previewed(which, event, stored)
    whole = judge(as_compiled, which, event, stored).reason
    if seen is None:
        assert whole.reset_at is not None
        return
    assert seen == whole


def capped(cap: int, window: dict[str, Any], name: str = "policy") -> Policy:
    return policy(budget(usd_text(cap), window, on_breach="review"), name=name)


amounts = st.sampled_from([0, 1, DEAREST, 2**61, MAX_SUM - 1, MAX_SUM]) | st.integers(0, MAX_SUM)
cells = st.tuples(amounts, amounts).map(lambda pair: (min(pair), max(pair)))


@BOTH
@given(
    stored=st.dictionaries(st.integers(BUCKET - BUCKETS - 20, BUCKET + 20), cells, max_size=12),
    cap=amounts,
    cost=st.sampled_from([0, 1, DEAREST]) | st.integers(0, DEAREST),
)
@examples(100)
def test_a_rolling_budget_answers_by_the_true_sums(
    engine: Engine, stored: dict[int, tuple[int, int]], cap: int, cost: int
) -> None:
    inside = {bucket: sums for bucket, sums in stored.items() if BUCKET - BUCKETS < bucket <= BUCKET}
    reason, _ = judge(engine, capped(cap, {"rolling": "24h"}), call(timedelta(), "e", cost), stored)
    used, recorded = (sum(sums[side] for sums in inside.values()) for side in (0, 1))
    assert reason.used_before_nano_usd == min(used, MAX_SUM)
    assert reason.recorded_before_nano_usd == min(recorded, MAX_SUM)
    assert (reason.code == "over_cap") == (min(used, MAX_SUM) + cost > cap)
    assert reason.reset_at == to_reset(inside, cap, cost)


def to_reset(inside: dict[int, tuple[int, int]], cap: int, cost: int) -> object:
    """The first instant at which the cost fits; None where it fits now, or never."""
    if cost > cap or min(sum(a for a, _ in inside.values()), MAX_SUM) + cost <= cap:
        return None
    later = BUCKET + 1
    while sum(a for bucket, (a, _) in inside.items() if bucket > later - BUCKETS) + cost > cap:
        later += 1
    return to_instant(later * WIDTH_MS)


@BOTH
def test_a_sum_that_was_cut_frees_no_more_than_what_leaves_the_window(engine: Engine) -> None:
    stored = {BUCKET - 200: (300 * DEAREST, 300 * DEAREST), BUCKET - 100: (300 * DEAREST, 300 * DEAREST)}
    reason, _ = judge(engine, capped(2**61, {"rolling": "24h"}), call(timedelta(), "e", 1), stored)
    assert reason.used_before_nano_usd == MAX_SUM
    assert reason.reset_at == to_instant((BUCKET - 100 + BUCKETS) * WIDTH_MS)


@BOTH
@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("room", [0, 1, 9, 10, 11])
def test_a_counter_takes_what_still_fits(engine: Engine, window: dict[str, Any], room: int) -> None:
    bucket = BUCKET if "rolling" in window else 0
    full = MAX_SUM - room
    reason, increments = judge(engine, capped(MAX_SUM, window), call(timedelta(), "e", 10), {bucket: (full, full)})
    assert reason.used_before_nano_usd == full
    assert reason.verdict == ("review" if room < 10 else "approve")
    assert reason.overage_nano_usd == max(0, 10 - room)
    added = [value for fields in increments.values() for value in fields.values()]
    sums = 4 if "rolling" in window else 2  # of the bucket, and of its block
    assert added == [min(room, 10)] * (sums if room else 0)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_many_dear_calls_stop_at_the_most_and_stay_over_every_cap(window: dict[str, Any]) -> None:
    tight, wide = (capped(cap, window, name) for cap, name in ((1, "tight"), (MAX_SUM, "wide")))
    documents = {policy_hash(each): each for each in (tight, wide)}
    bodies = [call(timedelta(), f"e{n}", DEAREST) for n in range(514)]
    log = log_of(staged(tight, staging="tight"), staged(wide, staging="wide"), *bodies)
    replay, found = evaluate(documents, [log])
    assert {value for fields in replay.cells(TENANT).values() for value in fields.values()} == {MAX_SUM}
    verdicts = [{reason.policy: reason.verdict for reason in decision.reasons} for decision in found.values()]
    assert [each["tight"] for each in verdicts] == ["review"] * 514
    # 512 calls are 512 nano-USD short of 2^62.
    assert ["wide" in each and each["wide"] == "review" for each in verdicts] == [False] * 512 + [True] * 2
