"""What a partition keeps in memory is bounded, however many tenants share it."""

from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from agents.partition import MAX_SLOTS, PartitionJudge
from window_counters.protocol import Mark, PartitionId


@given(slots=st.lists(st.integers(0, MAX_SLOTS * 2), max_size=20))
def test_tenants_together_keep_no_more_than_one_may(slots: list[int]) -> None:
    judge = PartitionJudge(PartitionId("events", 0), "topic", None)
    tenants = {f"t{number}": SimpleNamespace(slots=each) for number, each in enumerate(slots)}
    judge.tenants = cast("Any", dict(tenants))
    judge.moved(Mark("topic", 1))
    kept = sorted(tenant.slots for tenant in judge.tenants.values())
    assert sum(kept) <= MAX_SLOTS
    assert kept == sorted(slots)[: len(kept)]
    if len(kept) < len(slots):
        assert sum(sorted(slots)[: len(kept) + 1]) > MAX_SLOTS
