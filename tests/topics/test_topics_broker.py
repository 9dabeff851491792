"""The commands on a real broker, each test with topics of its own."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from threading import Thread
from typing import Any, Protocol
from uuid import UUID, uuid4

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from typer.testing import CliRunner, Result

from spendgate.cli.kafka_admin import admin_client, carry_out, read_topics, remaining, topic_id
from spendgate.cli.topics import app
from spendgate.failure import Failure
from spendgate.model.topics import Topics, load_topics
from spendgate.model.topics_plan import plan
from tests.live.waiting import until
from tests.topics.test_topics_file import largest_message


class Running(Protocol):
    """The part of the stack that is needed here."""

    @property
    def bootstrap(self) -> str: ...


class Place:
    """A broker, and topics under a prefix of their own."""

    def __init__(self, bootstrap: str, client: Any, topics: Topics) -> None:
        self.bootstrap = bootstrap
        self.client = client
        self.topics = topics

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--bootstrap", self.bootstrap])

    def names(self) -> list[str]:
        mine = {topic.name for topic in self.topics.all}
        return [name for name in self.client.list_topics() if name in mine]

    def make(self, name: str, partitions: int) -> None:
        self.client.create_topics(
            {name: {"num_partitions": partitions, "replication_factor": 1}}, wait_for_metadata=True
        )

    def alter(self, name: str, changes: dict[str, str]) -> None:
        answer = self.client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, changes)])
        assert answer == {"topic": {name: "OK"}}
        self.until(lambda: changes.items() <= read_topics(self.client, [name])[name].settings.items())

    def delete(self, names: list[str]) -> None:
        self.client.delete_topics(names)
        self.until(lambda: not set(self.names()) & set(names))

    def until(self, condition: Callable[[], bool]) -> None:
        """Ask the broker until it has heard of a change: it learns of it after the controller."""
        until(condition, "the broker to hear of a change")

    def partitions(self, name: str) -> int:
        return read_topics(self.client, [name])[name].partitions


@pytest.fixture
def place(stack: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("SPENDGATE_TOPIC_PREFIX", f"{uuid4().hex[:10]}-")
    monkeypatch.setenv("SPENDGATE_REPLICATION", "1")
    with admin_client(stack.bootstrap) as client:
        there = Place(stack.bootstrap, client, load_topics())
        yield there
        if left := there.names():
            there.delete(left)


@pytest.fixture
def applied(place: Place) -> Place:
    assert place.run("apply").exit_code == 0
    return place


def test_apply_makes_what_check_wants(place: Place) -> None:
    assert place.run("check").exit_code == 1
    assert place.run("apply").exit_code == 0
    assert place.run("check").exit_code == 0
    assert sorted(place.names()) == sorted(topic.name for topic in place.topics.all)


def test_apply_twice_changes_nothing_more(applied: Place) -> None:
    again = applied.run("apply", "--json")
    assert again.exit_code == 0
    assert json.loads(again.stdout) == {"applied": [], "remaining": []}


def test_a_plan_changes_nothing(place: Place) -> None:
    planned = place.run("plan", "--json")
    assert planned.exit_code == 0
    assert {action["kind"] for action in json.loads(planned.stdout)["actions"]} == {"create"}
    assert place.names() == []


def test_check_says_which_setting_of_which_topic_and_apply_mends_it(applied: Place) -> None:
    events = applied.topics.events
    applied.alter(events.name, {"retention.ms": "1000", "segment.ms": "60000"})
    checked = applied.run("check", "--json")
    assert checked.exit_code == 1
    drift = {
        (each["topic"], each["setting"], each["expected"], each["actual"])
        for each in json.loads(checked.stdout)["drift"]
    }
    assert drift == {
        (events.name, "retention.ms", str(events.retention_ms), "1000"),
        (events.name, "segment.ms", None, "60000"),
    }
    assert f"{events.name} retention.ms: expected {events.retention_ms}, actual 1000" in applied.run("check").stdout
    assert applied.run("apply").exit_code == 0
    assert applied.run("check").exit_code == 0


def test_tenants_are_never_moved(place: Place) -> None:
    place.make(place.topics.decisions.name, 4)
    applied = place.run("apply")
    assert applied.exit_code == 4
    assert "would move tenants" in applied.stderr
    assert place.names() == [place.topics.decisions.name]
    assert place.partitions(place.topics.decisions.name) == 4


def test_a_topic_not_keyed_by_tenant_grows(place: Place) -> None:
    place.make(place.topics.rejected.name, 2)
    assert place.run("apply").exit_code == 0
    assert place.partitions(place.topics.rejected.name) == place.topics.rejected.partitions


def test_no_topic_shrinks(place: Place) -> None:
    place.make(place.topics.rejected.name, 6)
    applied = place.run("apply")
    assert applied.exit_code == 4
    assert "cannot take partitions away" in applied.stderr
    assert place.partitions(place.topics.rejected.name) == 6


def test_replicas_are_reported_and_never_moved(applied: Place) -> None:
    done = applied.run("apply", "--replication", "3", "--json")
    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert answer["applied"] == []
    assert {each["kind"] for each in answer["remaining"]} == {"reassign"}
    assert len({each["topic"] for each in answer["remaining"]}) == len(applied.topics.all)
    assert "kafka-reassign-partitions" in applied.run("check", "--replication", "3").stdout
    assert applied.run("check").exit_code == 0


def test_more_replicas_than_brokers_is_one_line(place: Place) -> None:
    applied = place.run("apply", "--replication", "3")
    assert applied.exit_code == 3
    assert "InvalidReplicationFactorError" in applied.stderr
    assert applied.stderr.count("\n") == 1


def test_an_apply_that_lost_the_race_does_no_harm(place: Place) -> None:
    actions = plan(place.topics.all, {})
    carry_out(place.client, actions, place.topics.all)
    carry_out(place.client, actions, place.topics.all)
    assert remaining(place.client, place.topics.all) == []


def test_a_topic_made_anew_has_another_id(applied: Place) -> None:
    name = applied.topics.reviews.name
    before = topic_id(applied.bootstrap, name)
    assert before == str(UUID(before)) == topic_id(applied.bootstrap, name)
    applied.delete([name])
    assert applied.run("apply").exit_code == 0
    assert topic_id(applied.bootstrap, name) != before


def test_a_topic_that_is_not_there_has_no_id(place: Place) -> None:
    with pytest.raises(Failure, match="topics apply") as failed:
        topic_id(place.bootstrap, place.topics.events.name)
    assert failed.value.exit_code == 3


def test_the_broker_takes_the_largest_message_and_gives_it_its_own_time(applied: Place) -> None:
    message, name = largest_message(), applied.topics.events.name
    with closing(KafkaProducer(bootstrap_servers=applied.bootstrap, max_request_size=2**23)) as producer:
        sent = producer.send(name, message, key=b"acme", partition=0, timestamp_ms=1).get(timeout=60)
    assert sent.timestamp > 1_700_000_000_000
    with closing(KafkaConsumer(bootstrap_servers=applied.bootstrap, auto_offset_reset="earliest")) as consumer:
        consumer.assign([TopicPartition(name, 0)])
        received = next(iter(consumer))
    assert (received.value, received.timestamp) == (message, sent.timestamp)


def closed_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("command", ["plan", "check", "apply"])
def test_a_broker_that_is_away_is_one_line_and_exit_code_3(command: str) -> None:
    bootstrap = f"127.0.0.1:{closed_port()}"
    result = CliRunner().invoke(app, [command, "--bootstrap", bootstrap, "--timeout", "0.5"])
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == f"spendgate: Kafka at {bootstrap} is unreachable\n"


@pytest.fixture
def hanging_up() -> Iterator[str]:
    """The address of a server that closes every connection, as a broker does after a refused login."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def hang_up() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        thread = Thread(target=hang_up)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_login_that_ends_the_connection_is_named(hanging_up: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPENDGATE_KAFKA_SECURITY", "SASL_PLAINTEXT")
    monkeypatch.setenv("SPENDGATE_KAFKA_SASL_MECHANISM", "PLAIN")
    monkeypatch.setenv("SPENDGATE_KAFKA_USERNAME", "ann")
    monkeypatch.setenv("SPENDGATE_KAFKA_PASSWORD", "s3cret")
    result = CliRunner().invoke(app, ["check", "--bootstrap", hanging_up, "--timeout", "5"])
    assert result.exit_code == 3
    assert "at the login" in result.stderr
    assert "s3cret" not in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_connection_that_is_closed_without_a_login_hints_at_security(hanging_up: str) -> None:
    result = CliRunner().invoke(app, ["check", "--bootstrap", hanging_up, "--timeout", "0.5"])
    assert result.exit_code == 3
    assert "SPENDGATE_KAFKA_SECURITY" in result.stderr
