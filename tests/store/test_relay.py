"""The outbox: everything is sent, in order, whatever is killed; a repeat is the same bytes."""

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy_store import outbox
from policy_store.relay import LEASE_MS, Relay
from spendgate.model.announcement import Announcement
from tests.store.conftest import Store
from tests.store.scenes import change, tenant

TOPICS: dict[outbox.TopicName, str] = {"policies": "spend.policies", "events": "spend.events"}


class KafkaGone(Exception):
    """What a wire raises while Kafka is away."""


class Killed(BaseException):
    """Ends a process between two steps."""


@dataclass
class Log:
    """A wire that remembers; it fails while it is ``away``."""

    sent: list[tuple[str, bytes, bytes]] = field(default_factory=list)
    away: bool = False

    def publish(self, topic: str, key: bytes, value: bytes) -> None:
        """Take a message."""
        if self.away:
            raise KafkaGone
        self.sent.append((topic, key, value))

    def first_of_each(self) -> list[tuple[str, bytes, bytes]]:
        """What was sent, without repeats."""
        return list(dict.fromkeys(self.sent))


def relay(store: Store, log: Log, holder: str = "one", killed_at: str | None = None) -> Relay:
    def fault_point(name: str) -> None:
        if name == killed_at:
            raise Killed

    return Relay(store.database, log, TOPICS, holder, store.clock, fault_point)


def fill(store: Store, count: int) -> None:
    tenant(store)
    with change(store) as made:
        for number in range(count):
            if number % 2:
                outbox.activate(made, store.signer, action="end", staging=f"stg-{number}")
            else:
                outbox.post(
                    made,
                    Announcement(tenant="acme", staging=f"stg-{number}", policy="p", hash="0" * 64, state="staged"),
                )


def left(store: Store) -> int:
    with store.database.begin() as connection:
        return len(outbox.waiting(connection, 1000))


def test_what_waits_is_sent_in_order_and_once(store: Store) -> None:
    fill(store, 7)
    log = Log()
    assert relay(store, log).run_once() == 7
    assert relay(store, log).run_once() == 0
    names = [key.decode() if topic == "spend.policies" else topic for topic, key, _ in log.sent]
    assert names[::2] == [f"staging:acme:stg-{number}" for number in (0, 2, 4, 6)]
    assert names[1::2] == ["spend.events"] * 3


def test_what_is_rolled_back_is_never_sent(store: Store) -> None:
    tenant(store)
    with pytest.raises(ZeroDivisionError), change(store) as made:
        outbox.activate(made, store.signer, action="end", staging="stg-1")
        raise ZeroDivisionError
    assert relay(store, Log()).run_once() == 0


def test_while_kafka_is_away_nothing_is_lost_and_then_all_goes_in_order(store: Store) -> None:
    fill(store, 4)
    log = Log(away=True)
    for _ in range(3):
        with pytest.raises(KafkaGone):
            relay(store, log).run_once()
    assert left(store) == 4
    log.away = False
    relay(store, log).run_once()
    assert len(log.sent) == 4
    assert left(store) == 0


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@given(kills=st.lists(st.sampled_from(["published", "marked"]), max_size=6))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_killed_between_any_two_steps_it_loses_nothing_and_keeps_the_order(store: Store, kills: list[str]) -> None:
    with change(store, tenant="t") as made:
        wanted = [outbox.activate(made, store.signer, action="end", staging=f"stg-{n}").staging for n in range(4)]
    log = Log()
    for each in kills:
        _until(store, log, each)
    relay(store, log).run_once()
    order = [str(name) for _, _, value in log.first_of_each() for name in wanted if f'"{name}"'.encode() in value]
    assert order == wanted
    assert left(store) == 0


def _until(store: Store, log: Log, point: str) -> None:
    try:
        relay(store, log, killed_at=point).run_once()
    except Killed:
        return


def test_one_process_sends_at_a_time_and_another_takes_over_when_it_has_gone(store: Store) -> None:
    fill(store, 4)
    log = Log()
    assert relay(store, log, "one").run_once(most=1) == 1
    assert relay(store, log, "two").run_once() == 0
    store.clock.ms += LEASE_MS
    assert relay(store, log, "two").run_once() == 3
    assert len(log.sent) == 4
