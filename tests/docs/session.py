"""A reader's terminals: one in which a page's commands are typed, and one for each process that goes on."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import chdir
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template
from zoneinfo import ZoneInfo

from redis import Redis
from typer.testing import CliRunner

from dev.places import CHECKOUT
from dev.ports import free_port
from spendgate.cli.main import app
from tests.live.samples import ZONES

_OF_A_SHELL = frozenset("|&;<>`*?")
_STATUS = "; echo $?"
_NOTHING: Mapping[str, str] = {}
_SETS = ("export ", "KEY=")
_STOPS_WITHIN_S = 30


@dataclass
class Session:
    """``environment``: of every command, which exports go on in. ``places``: what stands in this run for a place that
    pages name; in what is printed the page's name stands again. ``prefix``: of topics, which what is printed lacks."""

    folder: Path
    environment: dict[str, str]
    places: dict[str, str]
    prefix: str
    _processes: "list[tuple[subprocess.Popen[bytes], Path]]" = field(default_factory=list)

    def run(self, command: str, more: Mapping[str, str] = _NOTHING) -> str:
        """What it prints, on both outputs, and with ``; echo $?`` its exit code."""
        here = self._here(command)
        plain = here.removesuffix(_STATUS)
        if here.startswith(_SETS):
            return self._set(here, more)
        if here.startswith("redis-cli "):
            return self._redis(shlex.split(here)[1:])
        if not plain.startswith("spendgate ") or _OF_A_SHELL & set(plain) or "$(" in plain:
            return self._told(self._bash(here, more))
        environment = {**self.environment, **more}
        words = shlex.split(Template(plain).safe_substitute(environment))
        with chdir(self.folder):
            done = CliRunner().invoke(app, words[1:], env=environment, prog_name="spendgate")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return self._told(done.output + (f"{done.exit_code}\n" if here != plain else ""))

    def start(self, command: str, more: Mapping[str, str] = _NOTHING) -> Callable[[], str]:
        """Start a process that goes on; what it has printed so far is what is returned returns."""
        log = self.folder / f"process-{len(self._processes)}.log"
        own = {"SPENDGATE_GROUP": f"{self.prefix}{command.split()[-1]}"} if "agents.app" in command else {}
        if "gateway_shadow.app" in command:
            own["SPENDGATE_HTTP_PORT"] = self.places["8080"]
        with log.open("wb") as sink:
            process = subprocess.Popen(
                ["bash", "-c", _last(self._here(command))], cwd=self.folder, stdin=subprocess.DEVNULL,
                env=self._whole({**own, **more}), stdout=sink, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self._processes.append((process, log))
        return lambda: self._told(log.read_text())

    def close(self) -> None:
        """End what goes on."""
        for process, _ in self._processes:
            process.terminate()
        for process, _ in self._processes:
            try:
                process.wait(_STOPS_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def logs(self) -> str:
        """The end of what each process has printed."""
        return "\n".join(f"{log.name}:\n{log.read_text()[-2000:]}" for _, log in self._processes)

    def renew_topics(self) -> None:
        """Go on with topics that are not there yet."""
        self.prefix = self.environment["SPENDGATE_TOPIC_PREFIX"] = f"new-{self.prefix}"

    def _redis(self, words: list[str]) -> str:
        """As redis-cli, which is not everywhere where a Redis or a Valkey is."""
        with Redis.from_url(self.environment["SPENDGATE_REDIS"], socket_timeout=5, decode_responses=True) as client:
            found = client.execute_command(*words)
        return "OK" if found is True else str(found)

    def _set(self, command: str, more: Mapping[str, str]) -> str:
        before = self._whole(more)
        told = self._bash(f"set -a; {command}; env -0 > exported", more)
        pairs = (each.partition("=") for each in (self.folder / "exported").read_text().split("\0") if each)
        changed = {name: value for name, _, value in pairs if before.get(name) != value}
        self.environment |= {name: value for name, value in changed.items() if name not in ("_", "SHLVL", "PWD")}
        return self._told(told)

    def _bash(self, command: str, more: Mapping[str, str]) -> str:
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=self._whole(more), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False, timeout=120,
        )  # fmt: skip
        return done.stdout

    def _whole(self, more: Mapping[str, str]) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {**os.environ, "PYTHONPATH": str(CHECKOUT), **self.environment, **more, "PATH": path}

    def _here(self, command: str) -> str:
        for named, real in self.places.items():
            command = _standing_for(named, real, command)
        return command.replace("--shift-to now", f"--shift-to {_within_a_day(datetime.now(UTC)).isoformat()}")

    def _told(self, printed: str) -> str:
        for named, real in self.places.items():
            printed = _standing_for(real, named, printed)
        return printed.replace(self.prefix, "").rstrip("\n")


def _within_a_day(now: datetime) -> datetime:
    """Where a page sends an hour of calls up to now: now; where a day has begun within that hour, the moment before it,
    so that the hour is of one day and one month."""
    midnights = [now.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0) for zone in ZONES]
    latest = max(midnights)
    return now if now - latest > timedelta(hours=1) else latest.astimezone(UTC) - timedelta(milliseconds=1)


def _standing_for(old: str, new: str, text: str) -> str:
    """The text with a place in place of another; a port is a number that stands alone, not part of a name or a time."""
    return re.sub(rf"(?<![\w.+/-]){old}(?![\w+-])", new, text) if old.isdecimal() else text.replace(old, new)


def _last(command: str) -> str:
    """The command in the place of its shell, so that whoever ends the one ends the other: settings, then ``exec``."""
    words = command.split(" ")
    settings = [word for word in words if "=" in word and word.split("=")[0].isupper()]
    first = words.index(next(word for word in words if word not in settings))
    return f"exec env {' '.join(words[:first])} {' '.join(words[first:])}" if first else f"exec {command}"


def places(folder: Path, bootstrap: str, redis_url: str) -> dict[str, str]:
    """Of an installation in a folder, on these servers."""
    return {
        "/var/lib/spendgate": str(folder),
        "kafka:9092": bootstrap,
        "redis://redis:6379/0": redis_url,
        "8080": str(free_port()),
        "6066": str(free_port()),
        "9099": str(free_port()),
    }
