"""A Kafka broker as a local process: one KRaft node, formatted at its first start."""

import base64
import hashlib
import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from string import Template

from dev.commands import run
from dev.java import find_java
from dev.places import SERVER_PROPERTIES, shared_libs
from dev.ports import free_port
from dev.report import silent
from dev.server import ServerProcess
from dev.wire import kafka_cluster

_NEEDED = ("version", "cluster.id", "node.id", "directory.id")
_SMALL_JVM = ("-XX:+UseSerialGC", "-XX:-UsePerfData", "-Dorg.slf4j.simpleLogger.showDateTime=true")


class KafkaProcess(ServerProcess):
    """A broker in ``directory``: ``server.properties``, ``kafka.log`` and its ``data``.

    ``port`` and ``controller_port`` are free ones where they are not given, and stay the same over
    restarts. ``libs`` has the jars (those of the checkout by default; see ``dev.jars``); ``java`` is looked
    for at start. ``jvm`` are options of its JVM beside ours, after those of ``SPENDGATE_KAFKA_JVM``.
    """

    name = "kafka"

    def __init__(
        self,
        directory: Path,
        port: int | None = None,
        controller_port: int | None = None,
        *,
        libs: Path | None = None,
        java: Path | None = None,
        heap_mb: int = 512,
        jvm: Sequence[str] = (),
    ) -> None:
        super().__init__(directory, port or free_port())
        self.controller_port = controller_port or free_port()
        self.libs = (libs or shared_libs()).resolve()
        self.java = java
        self.heap_mb = heap_mb
        self.jvm = (*os.environ.get("SPENDGATE_KAFKA_JVM", "").split(), *jvm)
        self.config = self.directory / "server.properties"
        self.data = self.directory / "data"

    @property
    def bootstrap(self) -> str:
        """``host:port`` for a client."""
        return f"127.0.0.1:{self.port}"

    @property
    def signature(self) -> Sequence[str]:
        """The class and the path of its configuration."""
        return ("kafka.Kafka", str(self.config))

    @property
    def ports(self) -> Sequence[int]:
        """The clients' port and the controller's."""
        return (self.port, self.controller_port)

    def answers(self) -> bool:
        """Whether the broker of this very data directory answers and is not fenced."""
        cluster = _properties(self.data).get("cluster.id")
        return cluster is not None and kafka_cluster(self.port) == cluster

    def _prepare(self) -> None:
        self.java = self.java or find_java(self.log, silent)
        self._write(self.config, self.data)
        if not all(_properties(self.data).get(key) for key in _NEEDED):
            self._format()

    def _command(self) -> Sequence[str]:
        return (*self._jvm(f"-Xmx{self.heap_mb}m", "-XX:+ExitOnOutOfMemoryError", *self.jvm), *self.signature)

    def _jvm(self, *options: str) -> tuple[str, ...]:
        """The archive of classes knows the jars by their whole paths; a colon would part a class path."""
        libs = self.libs if ":" not in str(self.libs) else os.path.relpath(self.libs, self.directory)
        return (str(self.java), *options, *_SMALL_JVM, *self._archived(), "-cp", f"{libs}/*")

    def _archived(self) -> Sequence[str]:
        """Read classes from their archive, where there is one (``dev.class_archive``)."""
        assert self.java is not None
        archive = archive_of(self.libs, self.java)
        return (f"-XX:SharedArchiveFile={archive}",) if archive.exists() else ()

    def _write(self, config: Path, data: Path) -> None:
        template = Template(SERVER_PROPERTIES.read_text())
        values = {"port": self.port, "controller_port": self.controller_port, "data": data.name}
        config.write_text(template.substitute(values))

    def _format(self) -> None:
        """Format beside the data directory and rename, so that a directory of that name is a whole one."""
        for leftover in (self.data, *self.directory.glob("data.new-*")):
            shutil.rmtree(leftover, ignore_errors=True)
        cluster = _new_id()
        fresh = self.data.with_name(f"data.new-{cluster}")
        config = self.config.with_name("format.properties")
        self._write(config, fresh)
        jvm = self._jvm("-Xmx128m", "-XX:TieredStopAtLevel=1")
        format_it = ("kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config", str(config))
        run([*jvm, *format_it], self.log, cwd=self.directory)
        fresh.rename(self.data)
        config.unlink()


def archive_of(libs: Path, java: Path) -> Path:
    """Where the classes of these very jars are kept for this very Java, which would refuse those of others."""
    parts = [java.resolve(), *sorted(libs.resolve().glob("*.jar"))]
    told = repr([(str(part), part.stat().st_size, part.stat().st_mtime_ns) for part in parts])
    return libs.resolve().parent / f"classes-{hashlib.sha256(told.encode()).hexdigest()[:16]}.jsa"


def _properties(data: Path) -> dict[str, str]:
    """What ``meta.properties`` says of a data directory; empty where it was never formatted."""
    try:
        lines = (data / "meta.properties").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {key.strip(): value.strip() for key, _, value in pairs}


def _new_id() -> str:
    """A random UUID as Kafka writes it: base64 for URLs, no padding; never one that looks like an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text
