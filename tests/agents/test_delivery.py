"""Delivery on a real broker: nothing is lost, nothing is acknowledged early, and a worker that should end does."""

import json
import re
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from agents.delivery import Settings, _options
from dev.trial.starting import begin_again
from tests.agents.kitchen import Kitchen, Running
from tests.live.waiting import until
from tests.stack import OwnKafka

REBALANCED_WITHIN_S = 30


def assert_in_order(worker: Running) -> None:
    """Between two assignments, a partition's messages come without a gap and never backwards."""
    last: dict[str, int] = {}
    for line in worker.lines():
        word, *rest = line.split()
        if word == "assigned":
            last.clear()
        elif word == "message":
            assert last.get(rest[0], int(rest[1]) - 1) + 1 == int(rest[1]), line
            last[rest[0]] = int(rest[1])


def last_words(worker: Running) -> str:
    """The one line that says why the worker ended, which is the only critical one; no trace is shown."""
    log = worker.log()
    assert "Traceback" not in log
    (line,) = [line for line in log.splitlines() if " CRITICAL " in line]
    return line


@pytest.mark.parametrize("fault", ["read:2", "published:2", "applied:2", "acknowledged:2"])
def test_a_worker_killed_in_the_middle_of_a_batch_loses_nothing(kitchen: Kitchen, fault: str) -> None:
    kitchen.topic(2)
    kitchen.send({0: 300, 1: 200})
    slot = {"TEST_SLOT": "one", "TEST_MAX_MESSAGES": "50"}
    killed = kitchen.worker(SPENDGATE_FAULT=fault, **slot)
    assert killed.ended() == -9
    assert not kitchen.all_handled()
    restarted = kitchen.worker(**slot)
    until(kitchen.all_handled, "every message handled")
    until(kitchen.all_committed, "every message committed")
    assert_in_order(killed)
    assert_in_order(restarted)


def test_the_partitions_of_a_killed_worker_go_to_the_other(kitchen: Kitchen) -> None:
    kitchen.topic(4)
    first, second = kitchen.worker(), kitchen.worker()
    until(lambda: len(first.owned()) == len(second.owned()) == 2, "two partitions each")
    kitchen.send(dict.fromkeys(range(4), 50))
    until(kitchen.all_handled, "the first messages")
    second.kill()
    kitchen.send(dict.fromkeys(range(4), 50))
    until(kitchen.all_handled, "the messages of all partitions")
    assert first.alive()
    assert_in_order(first)


def test_a_revoked_partition_is_not_a_crash_and_can_come_back(kitchen: Kitchen) -> None:
    kitchen.topic(4)
    kitchen.send(dict.fromkeys(range(4), 400))
    first = kitchen.worker("slow:20", TEST_MAX_MESSAGES="10")
    until(lambda: len(first.owned()) == 4 and bool(kitchen.handled()), "a worker at work on everything")
    second = kitchen.worker("slow:20", TEST_MAX_MESSAGES="10")
    until(lambda: len(second.owned()) == 2 and len(first.owned()) == 2, "a share for the second")
    second.terminate()
    assert second.ended() == 0
    until(lambda: len(first.owned()) == 4, "everything back")
    until(kitchen.all_handled, "every message handled")
    assert first.alive()
    assert "CRITICAL" not in first.log()
    for worker in kitchen.workers:
        assert_in_order(worker)
        assert not [line for line in worker.lines() if line.startswith("overlap")]


def test_a_transient_fault_is_retried_until_it_passes(kitchen: Kitchen) -> None:
    kitchen.topic(1)
    kitchen.send({0: 20})
    worker = kitchen.worker("transient:3")
    until(kitchen.all_handled, "every message handled")
    lines = [line for line in worker.lines() if line == "transient" or line.startswith("message")]
    assert lines == ["transient"] * 3 + [f"message 0 {n} {n}" for n in range(20)]
    assert "store away" in worker.log()


def test_a_batch_being_retried_does_not_hold_up_a_rebalance(kitchen: Kitchen) -> None:
    """Who holds one up holds it for as long as the group waits, 60 s, so half of that tells the two apart, with room
    for a machine on which a worker takes ten seconds to begin."""
    assert _options("", Settings())["broker_rebalance_timeout"] >= 2 * REBALANCED_WITHIN_S
    kitchen.topic(2)
    kitchen.send({0: 20, 1: 20})
    waiting = kitchen.worker("transient:1000000")
    until(lambda: "transient" in waiting.lines(), "a retry")
    second = kitchen.worker()
    until(lambda: len(second.owned()) == 1, "a partition for the second", REBALANCED_WITHIN_S)
    until(lambda: bool(kitchen.handled()), "messages handled by the second")
    assert waiting.alive()
    waiting.terminate()
    assert waiting.ended() == 0
    until(kitchen.all_handled, "every message handled")


def test_a_fatal_error_ends_the_worker_with_its_code_and_one_line(kitchen: Kitchen) -> None:
    kitchen.topic(1)
    kitchen.send({0: 5})
    worker = kitchen.worker("fatal:42")
    until(lambda: "CRITICAL" in worker.log(), "its last words")
    assert worker.ended() == 42
    assert last_words(worker).endswith("worker ends with exit code 42: this cannot go on")
    assert kitchen.committed() == {0: 0}


def test_a_bug_in_the_handler_ends_the_worker_and_acknowledges_nothing(kitchen: Kitchen) -> None:
    kitchen.topic(1)
    kitchen.send({0: 5})
    worker = kitchen.worker("error")
    assert worker.ended() == 70
    assert last_words(worker).endswith("ValueError: a bug in the handler")
    assert kitchen.committed() == {0: 0}


def test_sigterm_finishes_and_commits_the_batch_in_hand(kitchen: Kitchen) -> None:
    kitchen.topic(1)
    kitchen.send({0: 5})
    worker = kitchen.worker("slow:5000")
    until(lambda: "begun" in worker.lines(), "a batch in hand")
    assert not kitchen.all_handled()
    worker.terminate()
    assert worker.ended() == 0
    assert kitchen.all_handled()
    assert kitchen.all_committed()


def test_a_refused_produce_is_tried_again_with_its_batch(kitchen: Kitchen) -> None:
    kitchen.topic(1)
    decisions = kitchen.topic(1, "-out")
    kitchen.send({0: 20})
    worker = kitchen.worker(f"publish:{decisions}", SPENDGATE_FAULT_PUBLISH="1")
    until(kitchen.all_handled, "every message handled")
    assert "broker away" in worker.log()
    published = [number for packed in kitchen.messages(decisions) for number in json.loads(packed)]
    assert published == list(range(20))


def test_a_group_that_refuses_the_worker_ends_it(kitchen: Kitchen) -> None:
    kitchen.topic(1)
    worker = kitchen.worker(TEST_SESSION_S="0.5")  # below what a broker allows
    assert worker.ended() == 70
    assert "InvalidSessionTimeout" in last_words(worker)


def test_a_missing_topic_is_named_and_nothing_else_happens(kitchen: Kitchen) -> None:
    worker = kitchen.worker()
    assert worker.ended() == 3
    assert f"topic {kitchen.name} does not exist" in last_words(worker)


def test_a_broker_that_dies_is_waited_for(own_kafka: OwnKafka, tmp_path: Path) -> None:
    broker = own_kafka()
    kitchen = Kitchen(broker.bootstrap, tmp_path)
    kitchen.topic(2)
    kitchen.topic(1, "-out")
    kitchen.send({0: 100, 1: 100})
    try:
        worker = kitchen.worker(f"publish:{kitchen.name}-out", TEST_MAX_MESSAGES="10")
        until(lambda: bool(kitchen.handled()), "a worker at work")
        broker.kill()
        until(lambda: "NodeNotReadyError" in worker.log(), "the loss noticed")
        begin_again(broker)
        kitchen.send({0: 100, 1: 100})
        until(kitchen.all_handled, "every message handled")
        assert worker.alive()
        assert_in_order(worker)
    finally:
        kitchen.close()


def test_without_a_broker_a_worker_waits_and_can_be_stopped(kitchen: Kitchen) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        kitchen.bootstrap = f"127.0.0.1:{unused.getsockname()[1]}"
    worker = kitchen.worker()
    until(lambda: "no Kafka broker answers, waiting" in worker.log(), "a word about it")
    worker.terminate()
    assert worker.ended() == 0


def get(port: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def test_a_worker_tells_how_it_is_and_is_idle_about_once_a_second(kitchen: Kitchen) -> None:
    kitchen.topic(1)
    kitchen.send({0: 5})
    worker = kitchen.worker(SPENDGATE_HTTP_PORT="0")
    until(lambda: "http listening on" in worker.log(), "a port")
    (port,) = re.findall(r"http listening on (\d+)", worker.log())
    until(lambda: get(port, "/health/ready")[0] == 200, "readiness")
    until(kitchen.all_handled, "every message handled")
    until(lambda: worker.lines().count("idle 0") >= 2, "idle calls")
    assert get(port, "/health/live") == (200, '{"status": "ok", "reasons": []}')
    until(lambda: "spendgate_delivery_messages_total" in get(port, "/metrics")[1], "the counter of messages")
    assert not [line for line in worker.lines() if line.startswith("overlap")]
