"""``spendgate send`` and a real broker: all arrives, in order and in its place, also after a break."""

import json
import os
import signal
import subprocess
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as reference_murmur2
from typer.testing import CliRunner, Result

from dev.ports import free_port
from dev.stack import Stack
from dev.trial.starting import begin_again
from spendgate.cli import send_progress
from spendgate.cli.kafka_client import TopicReader
from spendgate.cli.send_progress import Progress, Target
from spendgate.ledger.sample import busy_hour
from spendgate.model.event import Event, encode_events
from spendgate.model.partition import murmur2
from tests.cli.broker import Broker
from tests.cli.command import app
from tests.stack import OwnKafka

ROOT = Path(__file__).resolve().parents[2]
START = datetime(2026, 11, 5, 9, tzinfo=UTC)


@pytest.fixture
def broker(stack: Stack) -> Broker:
    return Broker(stack.bootstrap)


def send(broker: Broker, *args: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["send", *map(str, args)], env=broker.env, input=stdin)


def started(broker: Broker, *args: str | Path) -> "subprocess.Popen[bytes]":
    """A send in a process of its own, to be interrupted."""
    command = [sys.executable, "-m", "tests.cli.command", "send", *map(str, args)]
    environment = {**os.environ, **broker.env}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)


def wait_for(state: Path, running: "subprocess.Popen[bytes]", broker: Broker) -> None:
    """Return once the process has kept a progress, or has ended."""
    with TopicReader(broker.bootstrap, broker.topics.events.name, 20, lambda line: None) as reader:
        while not state.exists() and running.poll() is None:
            reader.poll()


def written(path: Path, events: list[Event]) -> Path:
    path.write_bytes(b"".join(encode_events(event) + b"\n" for event in events))
    return path


def sample(count: int) -> list[Event]:
    """Calls of three tenants, taking turns."""
    hours = [busy_hour(count, seed, START, tenant) for seed, tenant in enumerate(("acme", "beta", "default"))]
    return [event for turn in zip(*hours, strict=True) for event in turn]


def by_tenant(events: list[Event]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        found[event.tenant].append(event)
    return found


@given(st.binary(max_size=40))
def test_the_partitioner_is_that_of_other_clients(key: bytes) -> None:
    assert murmur2(key) == reference_murmur2(key)


def test_every_event_arrives_once_and_in_its_tenants_order(broker: Broker, tmp_path: Path) -> None:
    events = sample(700)
    sent = send(broker, written(tmp_path / "events.jsonl", events), "--json")
    assert sent.exit_code == 0, sent.stderr
    assert json.loads(sent.stdout)["events"] == len(events)
    assert by_tenant(broker.events()) == by_tenant(events)


def test_messages_are_packed(broker: Broker, tmp_path: Path) -> None:
    path = written(tmp_path / "events.jsonl", list(busy_hour(1200, 1, START)))
    sent = send(broker, path, "--json")
    assert sent.exit_code == 0, sent.stderr
    assert json.loads(sent.stdout)["messages"] == 3
    assert len(broker.rows(broker.topics.events.name)) == 3


def test_stdin_is_read_to_its_end(broker: Broker) -> None:
    events = list(busy_hour(50, 1, START))
    sent = send(broker, "-", stdin=b"\n".join(map(encode_events, events)))
    assert sent.exit_code == 0, sent.stderr
    assert broker.events() == events


def test_sending_again_repeats_the_identities(broker: Broker, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"time": "2026-11-05T09:00:00Z"}\n' * 20)
    send(broker, path)
    send(broker, path)
    arrived = broker.events()
    assert len(arrived) == 40
    assert len({event.id for event in arrived}) == 20


def test_the_last_event_can_be_moved_to_an_instant(broker: Broker, tmp_path: Path) -> None:
    events = list(busy_hour(40, 1, START))
    path = written(tmp_path / "events.jsonl", events)
    sent = send(broker, path, "--shift-to", "2026-12-01T12:00:00Z", "--tenant", "acme")
    assert sent.exit_code == 0, sent.stderr
    arrived = broker.events()
    shift = datetime(2026, 12, 1, 12, tzinfo=UTC) - max(event.time for event in events)
    assert [event.time - shift for event in arrived] == [event.time for event in events]
    assert {event.tenant for event in arrived} == {"acme"}


def test_bad_rows_are_set_aside_without_their_content(broker: Broker, tmp_path: Path) -> None:
    path = written(tmp_path / "events.jsonl", list(busy_hour(5, 1, START)))
    path.write_bytes(path.read_bytes() + b'{"prompt": "SENTINEL secret"}\n')
    sent = send(broker, path, "--json")
    assert sent.exit_code == 0, sent.stderr
    found = json.loads(sent.stdout)
    assert (found["events"], found["quarantined"]) == (5, 1)
    aside = Path(found["quarantine"]).read_text()
    assert json.loads(aside) == {"line": 6, "field": "prompt", "expected": "a field of the event's schema"}


def test_the_wrong_file_is_refused_before_anything_is_sent(broker: Broker, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary,\nSENTINEL secret\n")
    sent = send(broker, path)
    assert (sent.exit_code, sent.stdout) == (2, "")
    assert "time column" in sent.stderr
    assert "SENTINEL" not in sent.stderr
    assert broker.rows(broker.topics.events.name) == []


@pytest.mark.parametrize(
    "args",
    [["nowhere.jsonl"], ["-", "--shift-to", "now"], ["-", "--shift-to", "soon"], ["-", "--map", "x=Y"]],
)
def test_wrong_usage_ends_with_one_line(broker: Broker, args: list[str]) -> None:
    sent = send(broker, *args, stdin=b'{"time": "2026-11-05T09:00:00Z"}')
    assert sent.exit_code == 2
    assert sent.stderr.startswith("spendgate: ")
    assert sent.stderr.count("\n") == 1


def test_a_broker_that_is_away_is_waited_for_and_then_said_so(tmp_path: Path) -> None:
    path = written(tmp_path / "events.jsonl", list(busy_hour(5, 1, START)))
    away = f"127.0.0.1:{free_port()}"
    sent = CliRunner().invoke(app, ["send", str(path), "--bootstrap", away, "--timeout", "1"])
    assert sent.exit_code == 3
    assert [line.split(" does ")[0].split(" did ")[0] for line in sent.stderr.splitlines()] == [
        f"Kafka at {away}",
        f"spendgate: Kafka at {away}",
    ]


def test_a_topic_that_is_missing_is_named(broker: Broker, tmp_path: Path) -> None:
    path = written(tmp_path / "events.jsonl", list(busy_hour(5, 1, START)))
    broker.env["SPENDGATE_TOPIC_PREFIX"] = "nobody-made-this."
    sent = send(broker, path, "--timeout", "5")
    assert sent.exit_code == 3
    assert "nobody-made-this.spend.events" in sent.stderr


def test_an_interrupted_send_goes_on_where_it_was(broker: Broker, tmp_path: Path) -> None:
    events = sample(700)
    path = written(tmp_path / "events.jsonl", events)
    state = tmp_path / "state"
    with started(broker, path, "--rate", "150", "--state", state) as running:
        wait_for(state, running, broker)
        running.send_signal(signal.SIGINT)
        assert running.wait(120) == 130
    done = json.loads(state.read_bytes())["rows"]
    assert 0 < done < len(events)
    assert len(broker.events()) == done

    rest = send(broker, path, "--state", state, "--json")
    assert json.loads(rest.stdout)["resumed_rows"] == done
    assert by_tenant(broker.events()) == by_tenant(events)
    assert not state.exists()


def test_a_broker_lost_on_the_way_costs_nothing(own_kafka: OwnKafka, tmp_path: Path) -> None:
    kafka = own_kafka()
    broker = Broker(kafka.bootstrap)
    events = sample(700)
    path = written(tmp_path / "events.jsonl", events)
    state = tmp_path / "events.jsonl.spendgate-sent"
    with started(broker, path, "--rate", "150", "--timeout", "3") as running:
        wait_for(state, running, broker)
        kafka.kill()
        assert running.wait(120) == 3
    done = json.loads(state.read_bytes())["rows"]
    assert 0 < done < len(events)

    begin_again(kafka)
    rest = send(broker, path, "--json")
    assert rest.exit_code == 0, rest.stderr
    assert json.loads(rest.stdout)["resumed_rows"] == done
    arrived = broker.events()
    assert {(event.tenant, event.id) for event in arrived} == {(event.tenant, event.id) for event in events}


def test_the_progress_of_another_file_does_not_count(broker: Broker, tmp_path: Path) -> None:
    path = written(tmp_path / "events.jsonl", sample(20))
    state = tmp_path / "state"
    topic = broker.topics.events.name
    other = Target("0" * 64, 1, "0" * 64, topic, "")
    send_progress.save(state, Progress(target=other, shift_us=0, rows=10))
    sent = send(broker, path, "--state", state, "--json")
    assert json.loads(sent.stdout)["resumed_rows"] == 0
    assert len(broker.events()) == 60
