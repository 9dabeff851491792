"""A vertical's records: a function of the seed, of the schema's fields alone, and plainly synthetic."""

from datetime import timedelta

import pytest

from dev.verticals.days import history, live_day
from dev.verticals.shelf import chosen, names
from spendgate.model.event import Event
from tests.ledger.reading import is_taken
from tests.verticals.days import END, TENANT, priced

IDS = ("id", "refers_to", "project", "customer", "employee", "api_key_id", "evidence_id")
VERTICALS = pytest.mark.parametrize("name", names())


def day(name: str, seed: int = 7) -> list[Event]:
    return [step.event for step in live_day(chosen(name).vertical, TENANT, seed, END)]


@VERTICALS
def test_the_same_seed_gives_the_same_day_and_another_seed_another(name: str) -> None:
    assert day(name) == day(name)
    assert day(name) != day(name, 8)


@VERTICALS
def test_whenever_it_is_only_the_times_differ(name: str) -> None:
    later = live_day(chosen(name).vertical, TENANT, 7, END + timedelta(days=3, hours=5))
    by = timedelta(days=3, hours=5)
    assert [event.time + by for event in day(name)] == [step.event.time for step in later]
    assert [event.id for event in day(name)] == [step.event.id for step in later]


@VERTICALS
def test_the_log_takes_every_record_and_the_book_knows_every_price(name: str) -> None:
    events = day(name)
    assert all(map(is_taken, events))
    assert all(event.cost_nano_usd is not None for event in priced(events) if event.kind == "call")


@VERTICALS
def test_every_identity_is_synthetic_and_says_so(name: str) -> None:
    for event in day(name):
        said = [getattr(event, field) for field in IDS]
        assert all(value.startswith("SYN-") for value in said if value is not None)
        assert event.source == "synthetic"


@VERTICALS
def test_no_record_holds_content_or_a_cost_of_its_own(name: str) -> None:
    for event in day(name):
        assert event.cost_nano_usd is None
        assert event.prompt_fingerprint is event.response_fingerprint is event.privacy_mode is None


@VERTICALS
def test_a_record_comes_after_what_it_refers_to_and_the_last_is_of_now(name: str) -> None:
    events = day(name)
    seen: set[str] = set()
    for event in events:
        assert event.refers_to is None or event.refers_to in seen
        seen.add(event.id)
    assert [event.time for event in events] == sorted(event.time for event in events)
    assert events[-1].time == END
    assert len(seen) == len(events)


@VERTICALS
def test_the_history_ends_before_the_day_begins_and_repeats_none_of_its_records(name: str) -> None:
    past, live = history(chosen(name).vertical, TENANT, 7, END, days=3), day(name)
    assert max(event.time for event in past) < live[0].time
    assert {event.id for event in past}.isdisjoint(event.id for event in live)


@VERTICALS
def test_a_case_ends_with_what_a_person_said(name: str) -> None:
    outcomes = {event.id: event for event in day(name) if event.kind == "outcome"}
    cases = {event.project for event in day(name) if event.kind == "call"}
    decided = {event.id.rsplit("-", 1)[0] for event in outcomes.values()}
    assert decided == cases
