"""A broker that can be broken at will and comes back where it was, with what it had acknowledged."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from dev.errors import StackError
from dev.kafka_process import KafkaProcess
from dev.trial.starting import begin_again

_TOPIC = "a"


@pytest.fixture(scope="module")
def broker(new_directory: Callable[[], Path], kafka_libs: tuple[Path, Path]) -> Iterator[KafkaProcess]:
    """One broker for this module, with one record, in a directory whose name has what paths may hold."""
    libs, java = kafka_libs
    server = KafkaProcess(new_directory() / "a b,c:d", libs=libs, java=java)
    server.start()
    server.wait_ready()
    _write(server)
    yield server
    server.kill()


@pytest.fixture
def running(broker: KafkaProcess) -> KafkaProcess:
    """The module's broker, running, whatever the test before did to it."""
    broker.resume()
    begin_again(broker)
    return broker


def _write(server: KafkaProcess) -> None:
    admin = KafkaAdminClient(bootstrap_servers=server.bootstrap)
    admin.create_topics([NewTopic(_TOPIC, num_partitions=1, replication_factor=1)])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=server.bootstrap, acks="all")
    producer.send(_TOPIC, b"kept").get(timeout=60)
    producer.close()


def _read(server: KafkaProcess) -> bytes:
    consumer = KafkaConsumer(bootstrap_servers=server.bootstrap, auto_offset_reset="earliest")
    try:
        consumer.assign([TopicPartition(_TOPIC, 0)])
        return bytes(next(iter(consumer)).value)
    finally:
        consumer.close()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_it_comes_back_on_the_same_port_with_its_records(running: KafkaProcess, end: str) -> None:
    port = running.port
    getattr(running, end)()
    assert not running.alive
    begin_again(running)
    assert running.port == port
    assert _read(running) == b"kept"


def test_a_frozen_one_lives_and_answers_nothing_until_it_thaws(running: KafkaProcess) -> None:
    running.pause()
    assert running.alive
    assert not running.answers()
    running.resume()
    running.wait_ready()
    assert _read(running) == b"kept"


def test_a_broker_of_other_data_on_its_port_is_not_taken_for_it(running: KafkaProcess, tmp_path: Path) -> None:
    other = KafkaProcess(tmp_path, running.port, libs=running.libs, java=running.java)
    shutil.copytree(running.data, other.data)
    meta = other.data / "meta.properties"
    meta.write_text(meta.read_text().replace("cluster.id=", "cluster.id=other"))
    assert running.answers()
    assert not other.answers()


def test_data_of_another_node_is_refused_in_one_line(running: KafkaProcess, tmp_path: Path) -> None:
    broken = KafkaProcess(tmp_path, libs=running.libs, java=running.java)
    shutil.copytree(running.data, broken.data, ignore=shutil.ignore_patterns("[!mb]*"))
    meta = broken.data / "meta.properties"
    meta.write_text(meta.read_text().replace("node.id=1", "node.id=7"))
    broken.start()
    with pytest.raises(StackError) as caught:
        broken.wait_ready()
    assert "\n" not in str(caught.value)
    assert "Stored node id 7" in str(caught.value)
