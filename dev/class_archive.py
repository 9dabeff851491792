"""Kafka's classes as a JVM has read and checked them, kept in a file: a broker starts from it in half the time."""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from dev.errors import StackError
from dev.kafka_process import KafkaProcess, archive_of
from dev.lock import locked
from dev.report import Report


def ensure_archive(libs: Path, java: Path, report: Report) -> None:
    """Make the archive of these jars and this Java, unless it is there: a broker starts and ends, some seconds.

    Where none can be made brokers start more slowly, and nothing else is different.
    """
    archive = archive_of(libs, java)
    if archive.exists():
        return
    with locked(libs.parent / "classes.lock", report, "reading Kafka's classes"):
        if not archive.exists():
            _make(archive, libs, java)


def _make(archive: Path, libs: Path, java: Path) -> None:
    """The archive appears whole or not at all; those of other jars, or of another Java, go."""
    for leftover in archive.parent.glob("classes.new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    directory = Path(tempfile.mkdtemp(prefix="classes.new-", dir=archive.parent))
    fresh = directory / archive.name
    broker = KafkaProcess(directory / "broker", libs=libs, java=java, jvm=(f"-XX:ArchiveClassesAtExit={fresh}",))
    with suppress(StackError, OSError):
        broker.start()
        broker.wait_ready()
        broker.stop()
        for other in archive.parent.glob("classes-*.jsa"):
            other.unlink()
        fresh.rename(archive)
    broker.kill()
    shutil.rmtree(directory, ignore_errors=True)
