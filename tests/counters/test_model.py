"""Whatever is done to a real store and to the one in memory, in whatever order, both answer the same."""

from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.counters.conftest import Fresh
from window_counters.memory import MemoryStore
from window_counters.protocol import Change, CounterStore, Mark, PartitionId, Read

pytestmark = pytest.mark.asyncio

T = TypeVar("T")
TENANTS, SLOTS, FIELDS = ("acme", "a:1"), ("s", "s\x1f", "a:1", "mark"), ("f", "(none)\x1fx", "")
HOURS, IDENTITIES = (0, 1, 480_000), (0, 1, 2**63, 2**64 - 1)
SLOT = st.sampled_from(SLOTS)
AMOUNT = st.integers(-(2**63) + 1, 2**63 - 1) | st.integers(-9, 9)
CELLS = st.dictionaries(SLOT, st.dictionaries(st.sampled_from(FIELDS), AMOUNT), max_size=2)
MARK = st.builds(Mark, st.sampled_from(["t", "u"]), st.integers(0, 9))
EVERYTHING = Read(
    tenants=TENANTS,
    identities=dict.fromkeys(TENANTS, (HOURS, IDENTITIES)),
    cells=dict.fromkeys(SLOTS, FIELDS),
    due=dict.fromkeys(TENANTS, 3),
)


def by_tenant(values: st.SearchStrategy[T]) -> st.SearchStrategy[dict[str, T]]:
    """For some tenants, a value each."""
    return st.dictionaries(st.sampled_from(TENANTS), values, max_size=2)


CHANGE = st.builds(
    Change,
    mark=MARK,
    tenants=by_tenant(st.binary(max_size=9)),
    increments=CELLS,
    expiries=by_tenant(st.dictionaries(SLOT, st.integers(0, 6))),
    identities=by_tenant(st.dictionaries(st.sampled_from(HOURS), st.lists(st.sampled_from(IDENTITIES)))),
    drop_slots=by_tenant(st.lists(SLOT, max_size=1)),
    drop_hours=by_tenant(st.lists(st.sampled_from(HOURS), max_size=1)),
)
STALE = st.sampled_from([False, False, False, True])
STEPS = st.lists(st.tuples(STALE, CHANGE) | CELLS, max_size=12)


async def outcome(store: CounterStore, partition: PartitionId, step: Any) -> object:
    """Do the step; what came of it."""
    try:
        if isinstance(step, dict):
            await store.put(partition, step)
            return None
        stale, change = step
        seen = Mark("stale", 1) if stale else (await store.read(partition, Read())).mark
        return await store.apply(partition, seen, change)
    except OverflowError:
        return OverflowError


async def held(store: CounterStore, partition: PartitionId) -> object:
    """All that can be read; a cell of zero is as good as none."""
    dumped = await store.dump(partition, SLOTS)
    return (
        await store.read(partition, EVERYTHING),
        {slot: {name: value for name, value in cells.items() if value} for slot, cells in dumped.items()},
        [await store.slots(partition, tenant, prefix) for tenant in TENANTS for prefix in ("", "s")],
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_a_real_store_answers_like_the_one_in_memory(
    real_store: CounterStore, fresh: Fresh, steps: list[Any]
) -> None:
    partition, model = fresh(), MemoryStore()
    for step in steps:
        assert await outcome(real_store, partition, step) == await outcome(model, partition, step)
        assert await held(real_store, partition) == await held(model, partition)
