"""The busy hour: a function of its arguments, and of the shape that it claims."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from spendgate.ledger.sample import busy_hour
from spendgate.ledger.sample_company import TEAMS
from tests.ledger.reading import is_taken

START = datetime(2026, 11, 5, 9, tzinfo=UTC)


def test_the_same_arguments_give_the_same_hour() -> None:
    assert list(busy_hour(500, 7, START)) == list(busy_hour(500, 7, START))


@pytest.mark.parametrize(("seed", "start"), [(8, START), (7, START + timedelta(hours=1))])
def test_another_hour_has_other_identities(seed: int, start: datetime) -> None:
    known = {event.id for event in busy_hour(500, 7, START)}
    assert known.isdisjoint(event.id for event in busy_hour(500, seed, start))


def test_an_hour_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="start: expected an aware instant"):
        next(busy_hour(1, 7, START.replace(tzinfo=None)))


def test_the_log_takes_every_event() -> None:
    assert all(map(is_taken, busy_hour(2000, 3, START, tenant="acme")))


def test_the_hour_is_of_the_shape_that_it_claims() -> None:
    hour = list(busy_hour(30_000, 7, START))
    assert len(hour) == 30_000
    assert all(START <= event.time < START + timedelta(hours=1) for event in hour)
    calls = [event for event in hour if event.kind == "call"]
    assert 330 < sum(event.cost_nano_usd or 0 for event in calls) / 1e9 < 370
    assert 0.005 < sum(event.cost_nano_usd is None for event in calls) / len(calls) < 0.015
    assert 0.002 < 1 - len({event.id for event in hour}) / len(hour) < 0.008
    assert {event.team for event in calls} == {None, *(team.name for team in TEAMS)}


def test_arrivals_come_in_bursts() -> None:
    seconds = Counter(int((event.time - START).total_seconds()) for event in busy_hour(30_000, 7, START))
    assert max(seconds.values()) > 5 * 30_000 / 3600


def test_few_people_make_many_of_the_calls() -> None:
    calls = Counter(event.employee for event in busy_hour(30_000, 7, START) if event.employee)
    assert sum(count for _, count in calls.most_common(100)) > sum(calls.values()) / 2


def test_an_employee_has_one_team() -> None:
    pairs = {(event.employee, event.team) for event in busy_hour(10_000, 7, START) if event.employee}
    assert len(pairs) == len({employee for employee, _ in pairs})


def test_an_outcome_follows_the_call_that_it_names() -> None:
    seen: set[str] = set()
    named = 0
    for event in busy_hour(10_000, 7, START):
        if event.kind == "outcome":
            named += 1
            assert event.refers_to in seen
        seen.add(event.id)
    assert named > 10


def test_a_repeat_is_the_same_call_and_not_the_same_object() -> None:
    first: dict[str, object] = {}
    repeats = 0
    for event in busy_hour(10_000, 7, START):
        if event.id in first:
            repeats += 1
            assert event == first[event.id]
            assert event is not first[event.id]
        first[event.id] = event
    assert repeats > 10
