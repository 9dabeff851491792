"""What every store of counters must do, on the fake and on the real servers."""

import asyncio
from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spendgate.engine.names import Window
from tests.counters.conftest import Fresh
from window_counters.protocol import Change, CounterStore, Look, Mark, PartitionId, Read, Snapshot, Sums

pytestmark = pytest.mark.asyncio

TOPIC = "Zk3q_0vWTfK8g9r2-A"
FEW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ["", "a\x1fb", "\n", "\r\n", "\0", "{x}:", "}", "c:", "*", "[1,2]", "%d", "ü" * 128, "-1", "nil"]
)
DELTAS = st.integers(-(10**15), 10**15)
EVERYTHING = Change(
    mark=Mark(TOPIC, 9),
    tenants={"acme": b"{}"},
    increments={"s": {"f": 5}},
    expiries={"acme": {"s": 100}},
    identities={"acme": {480_000: [1, 2]}},
)
LOOK = Read(
    tenants=["acme"],
    identities={"acme": ([480_000], [1, 2])},
    cells={"s": ["f"]},
    due={"acme": 100},
)


def mark(offset: int) -> Mark:
    return Mark(TOPIC, offset)


async def must_apply(store: CounterStore, partition: PartitionId, change: Change) -> None:
    """Apply on whatever the mark is now."""
    seen = (await store.read(partition, Read())).mark
    assert await store.apply(partition, seen, change)


async def test_a_fresh_partition_has_no_mark_and_reads_as_nothing(store: CounterStore, partition: PartitionId) -> None:
    assert await store.read(partition, LOOK) == Snapshot(None, {}, {"acme": {}}, {"s": [0]}, {"acme": []})
    assert await store.slots(partition, "acme", "") == []
    assert await store.dump(partition, ["s"]) == {"s": {}}


async def test_a_change_is_applied_whole_with_its_mark(store: CounterStore, partition: PartitionId) -> None:
    assert await store.apply(partition, None, EVERYTHING)
    assert await store.read(partition, LOOK) == Snapshot(
        mark(9), {"acme": b"{}"}, {"acme": {1: 480_000, 2: 480_000}}, {"s": [5]}, {"acme": ["s"]}
    )


@pytest.mark.parametrize("seen", [None, mark(8), mark(10), Mark("another-topic", 9), Mark("", 9)])
async def test_a_mark_that_differs_is_refused_and_nothing_is_changed(
    store: CounterStore, partition: PartitionId, seen: Mark | None
) -> None:
    await must_apply(store, partition, EVERYTHING)
    before = await store.read(partition, LOOK)
    another = Change(
        mark=mark(11),
        tenants={"acme": b"other"},
        increments={"s": {"f": 1}},
        expiries={"acme": {"s": 1}},
        identities={"acme": {480_000: [3]}},
        drop_slots={"acme": ["s"]},
        drop_hours={"acme": [480_000]},
    )
    assert not await store.apply(partition, seen, another)
    assert await store.read(partition, LOOK) == before


async def test_a_mark_on_a_partition_without_one_is_refused(store: CounterStore, partition: PartitionId) -> None:
    assert not await store.apply(partition, mark(8), EVERYTHING)
    assert (await store.read(partition, LOOK)).mark is None


async def test_of_writers_that_saw_the_same_mark_one_wins(store: CounterStore, partition: PartitionId) -> None:
    rivals = [store.apply(partition, None, Change(mark=mark(n), increments={"s": {"f": 1}})) for n in range(8)]
    assert sorted(await asyncio.gather(*rivals)) == [False] * 7 + [True]
    assert (await store.read(partition, LOOK)).cells["s"] == [1]


async def test_a_topic_id_may_hold_colons(store: CounterStore, partition: PartitionId) -> None:
    odd = Mark("a:b:", 2**62)
    await must_apply(store, partition, Change(mark=odd))
    assert (await store.read(partition, Read())).mark == odd


@pytest.mark.parametrize("amount", [2**53 + 1, 2**62 + 1, 2**63 - 1, -(2**63) + 1])
async def test_amounts_beyond_a_double_are_exact(store: CounterStore, partition: PartitionId, amount: int) -> None:
    await must_apply(store, partition, Change(mark=mark(1), increments={"s": {"f": amount}}))
    assert (await store.read(partition, LOOK)).cells["s"] == [amount]
    await must_apply(store, partition, Change(mark=mark(2), increments={"s": {"f": -amount}}))
    assert (await store.read(partition, LOOK)).cells["s"] == [0]


@pytest.mark.parametrize("held", [2**63 - 1, -(2**63)])
async def test_a_sum_out_of_range_is_refused_and_nothing_is_changed(
    store: CounterStore, partition: PartitionId, held: int
) -> None:
    await must_apply(store, partition, EVERYTHING)
    await store.put(partition, {"full": {"f": held}})
    before = await store.read(partition, LOOK)
    step = 1 if held > 0 else -1
    too_much = replace(
        EVERYTHING, increments={"s": {"f": -7, "g": 2**62, "zero": 0}, "new": {"f": 1}, "full": {"f": step}}
    )
    with pytest.raises(OverflowError):
        await store.apply(partition, mark(9), replace(too_much, mark=mark(10), tenants={"acme": b"no"}))
    assert await store.read(partition, LOOK) == before
    held_now = await store.dump(partition, ["s", "new", "full"])
    assert held_now == {"s": {"f": 5}, "new": {}, "full": {"f": held}}


@pytest.mark.parametrize(
    "change",
    [
        Change(mark(1), increments={"s": {"f": 2**63}}),
        Change(mark(1), increments={"s": {"f": -(2**63)}}),
        Change(mark(1), identities={"acme": {1: [2**64]}}),
        Change(mark(1), identities={"acme": {1: [-1]}}),
        Change(mark(1), expiries={"acme": {"s": 2**53 + 1}}),
    ],
)
async def test_a_number_out_of_range_is_refused_before_anything_is_changed(
    store: CounterStore, partition: PartitionId, change: Change
) -> None:
    with pytest.raises(OverflowError):
        await store.apply(partition, None, replace(change, tenants={"acme": b"{}"}))
    assert await store.read(partition, Read(tenants=["acme"])) == Snapshot(None, {}, {}, {}, {})


@FEW
@given(batches=st.lists(st.dictionaries(HOSTILE, st.dictionaries(HOSTILE, DELTAS, max_size=4), max_size=4), max_size=6))
async def test_increments_sum_like_a_plain_dict(
    store: CounterStore, fresh: Fresh, batches: list[dict[str, dict[str, int]]]
) -> None:
    partition = fresh()
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for offset, increments in enumerate(batches):
        await must_apply(store, partition, Change(mark=mark(offset), increments=increments))
        for slot, deltas in increments.items():
            for name, delta in deltas.items():
                sums[slot][name] += delta
    snapshot = await store.read(partition, Read(cells={slot: list(cells) for slot, cells in sums.items()}))
    assert snapshot.cells == {slot: list(cells.values()) for slot, cells in sums.items()}
    assert await store.dump(partition, list(sums)) == sums


CELLS = st.integers(0, 10) | st.sampled_from([10**9, 2**53 + 1, 2**62, 2**63 - 1])


@FEW
@given(
    held=st.dictionaries(st.sampled_from(["s", "t"]), st.dictionaries(HOSTILE, CELLS, max_size=8), min_size=1),
    heads=st.lists(st.tuples(HOSTILE, HOSTILE), min_size=1, max_size=3),
    keys=st.lists(HOSTILE, min_size=1, max_size=3), repeats=st.integers(1, 3),
)  # fmt: skip
async def test_windows_add_up_exactly_for_every_key(
    store: CounterStore, fresh: Fresh, held: dict[str, dict[str, int]], heads: list[tuple[str, str]], keys: list[str],
    repeats: int,
) -> None:  # fmt: skip
    partition, flat = fresh(), tuple(head for pair in heads for head in pair)
    named = {head + key: 2**62 + n for n, (head, key) in enumerate((h, k) for h in flat for k in keys)}
    cells = {slot: named | fields for slot, fields in held.items()}
    await store.put(partition, cells)
    await must_apply(store, partition, Change(mark=mark(3), tenants={"acme": b"{}"}))
    slots = tuple((slot, flat) for slot in [*held, "absent"])
    look = Look(["acme", "nobody"], [Window(place, slots * repeats) for place in range(len(keys))])
    expected = [
        repeats * sum(fields[head + key] for fields in cells.values() for head in flat[which::2])
        for key in keys
        for which in (0, 1)
    ]
    for _ in range(2):
        assert await store.sums(partition, look, keys) == Sums(mark(3), {"acme": b"{}"}, expected)
    reversed_keys = keys[::-1]
    again = await store.sums(partition, look, reversed_keys)
    assert again.sums[:2] == expected[-2:]


async def test_a_look_at_a_fresh_partition_finds_nothing(store: CounterStore, partition: PartitionId) -> None:
    window = Window(0, (("s", ("a0 ", "r0 ")),))
    assert await store.sums(partition, Look(["acme"], [window]), ["all"]) == Sums(None, {}, [0, 0])
    assert await store.sums(partition, Look([], []), []) == Sums(None, {}, [])


@FEW
@given(
    tenants=st.dictionaries(HOSTILE, st.binary(max_size=60), max_size=5),
    instants_ms=st.dictionaries(HOSTILE, st.integers(-(2**53), 2**53), max_size=5),
    tenant=HOSTILE,
)
async def test_names_and_documents_come_back_as_they_went_in(
    store: CounterStore,
    fresh: Fresh,
    tenants: dict[str, bytes],
    instants_ms: dict[str, int],
    tenant: str,
) -> None:
    partition = fresh()
    await must_apply(store, partition, Change(mark=mark(0), tenants=tenants, expiries={tenant: instants_ms}))
    snapshot = await store.read(partition, Read(tenants=list(tenants), due={tenant: 2**53}))
    assert snapshot.tenants == tenants
    assert snapshot.due == {tenant: sorted(instants_ms, key=lambda slot: (instants_ms[slot], slot))}
    assert await store.slots(partition, tenant, "") == sorted(instants_ms)


@FEW
@given(data=st.data())
async def test_an_identity_is_found_in_the_latest_hour_that_holds_it(
    store: CounterStore, fresh: Fresh, data: st.DataObject
) -> None:
    partition = fresh()
    pool = data.draw(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=6, unique=True))
    filed = data.draw(st.dictionaries(st.integers(480_000, 480_004), st.lists(st.sampled_from(pool)), max_size=5))
    await must_apply(store, partition, Change(mark=mark(0), identities={"acme": filed, "other": {480_005: pool}}))
    hours = range(480_001, 480_006)
    wanted = [*pool, 2**64 - 1]
    snapshot = await store.read(partition, Read(identities={"acme": (hours, wanted)}))
    latest = {identity: hour for hour in hours for identity in filed.get(hour, ())}
    assert snapshot.known == {"acme": latest}


async def test_no_identity_is_mistaken_for_another(store: CounterStore, partition: PartitionId) -> None:
    bytewise = [sum(byte << 8 * place for place, byte in enumerate([n, 0, 10, 13, 0, 31, 255, n])) for n in range(256)]
    await must_apply(store, partition, Change(mark=mark(0), identities={"acme": {1: bytewise[::2]}}))
    snapshot = await store.read(partition, Read(identities={"acme": ([1], bytewise)}))
    assert list(snapshot.known["acme"]) == bytewise[::2]


async def test_a_big_batch_is_read_as_it_was_written(store: CounterStore, partition: PartitionId) -> None:
    many = range(4_500)
    wide = {f"team-{n}\x1f(none)": 2**53 + n for n in many}
    narrow = {f"slot-{n}": {"f": n} for n in many}
    change = Change(
        mark=mark(0),
        increments={"wide": wide, **narrow},
        identities={"acme": {1: [n << 32 for n in many], 2: [n << 32 for n in many[4_000:]]}},
        expiries={"acme": {slot: 1_000 + n for n, slot in enumerate(narrow)}},
    )
    await must_apply(store, partition, change)
    snapshot = await store.read(
        partition,
        Read(
            cells={"wide": list(wide), **{slot: ["f", "g"] for slot in narrow}},
            identities={"acme": ([1, 2], [n << 32 for n in many])},
        ),
    )
    assert snapshot.cells == {"wide": list(wide.values()), **{f"slot-{n}": [n, 0] for n in many}}
    assert snapshot.known["acme"] == {n << 32: 1 if n < 4_000 else 2 for n in many}
    await must_apply(store, partition, Change(mark=mark(1), drop_slots={"acme": list(narrow)}))
    assert await store.slots(partition, "acme", "") == []
    assert not any((await store.dump(partition, list(narrow))).values())


async def test_due_lists_expired_slots_alone_and_at_most_128_of_them(
    store: CounterStore, partition: PartitionId
) -> None:
    expiries = {f"s{n:03}": 1_000 + n for n in range(200)}
    await must_apply(store, partition, Change(mark=mark(0), expiries={"acme": expiries, "other": {"theirs": 0}}))

    async def due(instant_ms: int) -> list[str]:
        return list((await store.read(partition, Read(due={"acme": instant_ms}))).due["acme"])

    assert await due(999) == []
    assert await due(1_000) == ["s000"]
    assert await due(1_127) == [f"s{n:03}" for n in range(128)]
    assert await due(9_999) == [f"s{n:03}" for n in range(128)]


async def test_an_expiry_may_be_told_again(store: CounterStore, partition: PartitionId) -> None:
    for offset, expires_ms in enumerate((10, 30, 20)):
        await must_apply(store, partition, Change(mark=mark(offset), expiries={"acme": {"s": expires_ms, "t": 1}}))
    assert (await store.read(partition, Read(due={"acme": 19}))).due == {"acme": ["t"]}
    assert (await store.read(partition, Read(due={"acme": 20}))).due == {"acme": ["t", "s"]}


async def test_what_is_dropped_is_gone_and_its_expiry_forgotten(store: CounterStore, partition: PartitionId) -> None:
    await must_apply(store, partition, EVERYTHING)
    drop = Change(
        mark=mark(10),
        increments={"s": {"f": 1}, "kept": {"f": 1}},
        expiries={"acme": {"kept": 50, "s": 60}},
        identities={"acme": {480_000: [3], 480_001: [1]}},
        drop_slots={"acme": ["s", "never was"]},
        drop_hours={"acme": [480_000, 479_000]},
    )
    await must_apply(store, partition, drop)
    snapshot = await store.read(
        partition,
        Read(
            cells={"s": ["f"], "kept": ["f"]},
            identities={"acme": ([480_000, 480_001], [1, 2, 3])},
            due={"acme": 100},
        ),
    )
    assert snapshot == Snapshot(mark(10), {}, {"acme": {1: 480_001}}, {"s": [0], "kept": [1]}, {"acme": ["kept"]})
    assert await store.slots(partition, "acme", "") == ["kept"]
    assert await store.dump(partition, ["s"]) == {"s": {}}


async def test_slots_are_listed_by_prefix_and_tenant(store: CounterStore, partition: PartitionId) -> None:
    expiries = {"acme": {"b:2": 1, "a:1": 5, "b:1": 3, "B:1": 1}, "other": {"b:9": 1}}
    await must_apply(store, partition, Change(mark=mark(0), expiries=expiries))
    assert await store.slots(partition, "acme", "b:") == ["b:1", "b:2"]
    assert await store.slots(partition, "acme", "c") == []


async def test_a_seed_is_set_absolutely_and_leaves_the_mark_alone(store: CounterStore, partition: PartitionId) -> None:
    await must_apply(store, partition, EVERYTHING)
    seed = {
        "seed": {f"f{n}": 2**63 - 1 - n for n in range(4_100)},
        "s": {"g": 2},
        "low": {"f": -(2**63)},
        "": {},
    }
    for _ in range(2):
        await store.put(partition, seed)
    assert await store.dump(partition, ["seed", "s", "low", ""]) == {**seed, "s": {"f": 5, "g": 2}}
    assert (await store.read(partition, Read())).mark == mark(9)


async def test_partitions_do_not_see_each_other(store: CounterStore, partition: PartitionId) -> None:
    await must_apply(store, partition, EVERYTHING)
    for other in (
        PartitionId(partition.topic, 8),
        PartitionId(partition.topic, 77),
        PartitionId(partition.topic + "x", 7),
    ):
        assert (await store.read(other, LOOK)).mark is None
        assert await store.dump(other, ["s"]) == {"s": {}}
        assert await store.apply(other, None, replace(EVERYTHING, increments={"s": {"f": 1}}))
    assert (await store.read(partition, LOOK)).cells == {"s": [5]}


async def test_a_read_is_of_one_instant(store: CounterStore, partition: PartitionId) -> None:
    last = 150

    async def write() -> None:
        seen = None
        for n in range(1, last + 1):
            step = Change(
                mark=mark(n),
                tenants={"acme": b"%d" % n},
                increments={"a": {"f": 1}, "b": {"f": 1, "g": 1}},
                identities={"acme": {1: [n]}},
                expiries={"acme": {f"{n:03}": -n}},
            )
            assert await store.apply(partition, seen, step)
            seen = mark(n)

    everything = Read(
        tenants=["acme"],
        identities={"acme": ([1], range(1, last + 1))},
        cells={"b": ["g", "f"], "a": ["f"]},
        due={"acme": 0},
    )

    async def watch() -> None:
        at = 0
        while at < last:
            snapshot = await store.read(partition, everything)
            at = snapshot.mark.offset if snapshot.mark else 0
            assert snapshot.cells == {"b": [at, at], "a": [at]}
            assert snapshot.tenants == ({"acme": b"%d" % at} if at else {})
            assert snapshot.known == {"acme": dict.fromkeys(range(1, at + 1), 1)}
            assert list(snapshot.due["acme"]) == [f"{n:03}" for n in range(at, max(0, at - 128), -1)]
            await asyncio.sleep(0)

    await asyncio.gather(write(), watch(), watch())


async def test_what_was_given_or_returned_is_a_copy(store: CounterStore, partition: PartitionId) -> None:
    deltas, identities, cells = {"f": 1}, [1], {"f": 3}
    await must_apply(
        store, partition, Change(mark=mark(0), increments={"s": deltas}, identities={"acme": {1: identities}})
    )
    await store.put(partition, {"p": cells})
    deltas["f"] = cells["f"] = 99
    identities.append(2)
    dumped = await store.dump(partition, ["s", "p"])
    assert dumped == {"s": {"f": 1}, "p": {"f": 3}}
    assert (await store.read(partition, Read(identities={"acme": ([1], [1, 2])}))).known == {"acme": {1: 1}}


async def test_a_store_that_never_evicts_is_fit(store: CounterStore) -> None:
    await store.check_fit()
