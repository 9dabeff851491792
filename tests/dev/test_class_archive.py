"""A broker starts from the archive of its classes, and without one, or from one that is spoilt, all the same."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.class_archive import ensure_archive
from dev.kafka_process import KafkaProcess, archive_of
from dev.report import silent


@pytest.fixture
def own_libs(tmp_path: Path, kafka_libs: tuple[Path, Path]) -> Path:
    """Kafka's jars in a directory of their own, without an archive."""
    own = tmp_path / "kafka" / "libs"
    own.mkdir(parents=True)
    for jar in kafka_libs[0].glob("*.jar"):
        (own / jar.name).symlink_to(jar)
    return own


def test_a_broker_reads_its_classes_from_the_archive(
    kafka_libs: tuple[Path, Path], new_directory: Callable[[], Path]
) -> None:
    libs, java = kafka_libs
    broker = KafkaProcess(new_directory(), libs=libs, java=java)
    broker.start()
    broker.wait_ready()
    read = [Path(f"/proc/{pid}/maps").read_text() for pid in broker.pids]
    broker.kill()
    assert [str(archive_of(libs, java)) in maps for maps in read] == [True]


def test_a_spoilt_archive_is_no_obstacle(
    own_libs: Path, kafka_libs: tuple[Path, Path], new_directory: Callable[[], Path]
) -> None:
    archive_of(own_libs, kafka_libs[1]).write_bytes(b"no classes")
    broker = KafkaProcess(new_directory(), libs=own_libs, java=kafka_libs[1])
    broker.start()
    broker.wait_ready()
    broker.kill()


def test_an_archive_is_of_its_jars_and_its_java_alone(own_libs: Path, kafka_libs: tuple[Path, Path]) -> None:
    java, jar = kafka_libs[1], own_libs / "one.jar"
    before = archive_of(own_libs, java)
    jar.write_bytes(b"")
    added = archive_of(own_libs, java)
    os.utime(jar, (0, 0))
    assert len({before, added, archive_of(own_libs, java), archive_of(own_libs, Path(__file__))}) == 4


def test_where_no_broker_starts_there_is_no_archive_and_nothing_is_left(
    tmp_path: Path, kafka_libs: tuple[Path, Path]
) -> None:
    libs = tmp_path / "libs"
    libs.mkdir()
    ensure_archive(libs, kafka_libs[1], silent)
    assert {path.name for path in tmp_path.iterdir()} <= {"libs", "classes.lock"}
