"""Repeats, disorder and strange times, on a topic that lets the test choose the record times."""

import random
from datetime import UTC, datetime, timedelta

from spendgate.model.event import Event
from tests.live.conftest import MakeWorld
from tests.live.samples import HOUR_MS, POLICIES, budget, call, calls, ms, policy
from tests.live.world import CREATE_TIME, World

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def staged(make_world: MakeWorld, at: datetime) -> World:
    """A world where acme has three stagings since ``at``."""
    world = make_world(settings=CREATE_TIME)
    for one in POLICIES:
        world.stage("acme", one, f"{one.metadata.name}-1", at_ms=ms(at))
    return world


def some(count: int, at: datetime) -> list[Event]:
    return [call("acme", number, at + timedelta(seconds=number)) for number in range(count)]


def test_repeats_are_dropped_within_the_horizon_and_judged_beyond_it(make_world: MakeWorld) -> None:
    begin = NOW - 3 * DAY
    world = staged(make_world, begin)
    world.worker()
    events = some(300, begin)
    shuffled = random.Random(1).sample(events, len(events))
    for sent, hours in ((events, 0), (events, 0), (shuffled, 0), (events, 20), (shuffled, 40), (events, 41)):
        world.send(sent, at_ms=ms(begin) + 300_000 + hours * HOUR_MS)
        world.settle()
    owed = world.verify()
    assert len(owed.decisions) == 2 * 300
    assert owed.duplicates == 4 * 300


def test_a_restart_between_repeats_changes_nothing(make_world: MakeWorld) -> None:
    begin = NOW - 3 * DAY
    world = staged(make_world, begin)
    for hours in (0, 20, 40):
        worker = world.worker()
        world.send(some(100, begin), at_ms=ms(begin) + 300_000 + hours * HOUR_MS)
        world.settle()
        worker.kill()
    assert len(world.verify().decisions) == 2 * 100


def test_reordered_old_and_future_calls_are_judged_in_their_own_windows(make_world: MakeWorld) -> None:
    begin = NOW - DAY
    world = staged(make_world, begin)
    world.worker()
    events = calls(400, 1, "acme")
    world.send(random.Random(2).sample(events, len(events)), per_message=20, at_ms=ms(NOW))
    offsets = {"old": -90 * DAY, "edge": -3 * DAY, "kept": -2 * DAY, "future": 30 * DAY, "soon": DAY / 480}
    world.send([call("acme", name, NOW + offset) for name, offset in offsets.items()], at_ms=ms(NOW))
    world.settle()
    marks = {d.event_id: d.marks for d in world.verify().decisions.values() if d.source == "test"}
    assert marks == {
        "call-old": ("late",),
        "call-edge": (),
        "call-kept": (),
        "call-future": ("clock_skew",),
        "call-soon": (),
    }


def test_a_call_belongs_to_the_window_that_holds_its_millisecond(make_world: MakeWorld) -> None:
    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0) - DAY
    world = make_world(settings=CREATE_TIME)
    daily = policy("daily", budget("1", {"calendar": "day"}))
    world.stage("acme", daily, "daily-1", at_ms=ms(midnight - DAY))
    world.worker()
    moments = {"first": timedelta(0), "last": DAY - timedelta(milliseconds=1), "next": DAY}
    for name, offset in moments.items():
        world.send([call("acme", name, midnight + offset)], at_ms=ms(midnight + DAY))
    world.settle()
    windows = {d.event_id: d.reasons[0].window_start for d in world.verify().decisions.values()}
    assert windows == {"call-first": midnight, "call-last": midnight, "call-next": midnight + DAY}


def test_a_worker_that_was_down_for_longer_than_any_expiry_goes_on_as_if_it_had_not(
    make_world: MakeWorld,
) -> None:
    begin = NOW - 120 * DAY
    world = staged(make_world, begin)
    first = world.worker()
    world.send(some(200, begin), at_ms=ms(begin) + 300_000)
    world.settle()
    first.terminate()
    world.send(some(200, begin), at_ms=ms(NOW) - 1000)  # identities, too, are long forgotten
    world.send(calls(300, 1, "acme"), at_ms=ms(NOW))
    world.worker()
    world.settle()
    world.send(calls(300, 2, "acme"), at_ms=ms(NOW) + 1000)
    world.settle()
    owed = world.verify()
    assert sum("late" in decision.marks for decision in owed.decisions.values()) == 200
