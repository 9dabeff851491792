"""What a run of tests started ends with it, also where several workers share it and somebody pulls the plug."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev import processes
from dev.redis_process import RedisProcess
from tests import run_directory
from tests.live.waiting import until

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 2
CONFTEST = 'pytest_plugins = ["tests.run_directory", "tests.stack"]\n'
TEST = """
import subprocess
import time
from pathlib import Path
import pytest

NOTES = Path(__file__).with_name("notes")

@pytest.mark.parametrize("number", range(2))
def test_one(number, run_directory, own_redis):
    server = own_redis()
    command = subprocess.Popen(["sleep", "1000"])
    (NOTES / f"{number}.new").write_text(f"{run_directory}\\n{server.directory}\\n{command.pid}")
    (NOTES / f"{number}.new").rename(NOTES / f"{number}")
    while not (NOTES / "end").exists():
        time.sleep(0.02)
"""


INTERRUPTIBLE = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "import pytest; sys.exit(pytest.console_main())"
)
"""Pytest, also where this run is in the background of a shell, which has its children ignore Ctrl-C."""


@dataclass(frozen=True)
class Run:
    """A run of two tests, side by side, each with a Redis and a command of its own; they end when they are told to."""

    process: "subprocess.Popen[bytes]"
    folder: Path

    @property
    def notes(self) -> list[list[str]]:
        """Of each test that is under way: the directory of its run, that of its server, and the id of its command."""
        return [path.read_text().split("\n") for path in (self.folder / "notes").glob("[0-9]")]

    def servers(self) -> list[RedisProcess]:
        """The servers of both."""
        return [RedisProcess(Path(server), 1) for _, server, _ in self.notes]

    def alive(self) -> list[bool]:
        """Whether each server and each command lives."""
        commands = [processes.find(["sleep", "1000"]).count(int(command)) > 0 for *_, command in self.notes]
        return [server.alive for server in self.servers()] + commands

    def directory(self) -> Path:
        """Where the servers of both are kept."""
        (found,) = {directory for directory, *_ in self.notes}
        return Path(found)

    def end(self) -> int:
        """Let both tests end; the exit code."""
        (self.folder / "notes" / "end").touch()
        return self.process.wait(240)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A run that is under way, with a temporary directory and a process group of its own."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_two.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [
        sys.executable,
        "-c",
        INTERRUPTIBLE,
        "-p",
        "xdist",
        "-p",
        "no:cacheprovider",
        "-n2",
        "--dist",
        "worksteal",
    ]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    here = {"TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(
            [*command, str(tmp_path)], env={**inherited, **here}, cwd=tmp_path, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    made = Run(process, tmp_path)
    try:
        until(lambda: len(made.notes) == WORKERS or process.poll() is not None, "two servers")
        assert process.poll() is None, (tmp_path / "output").read_text()
        yield made
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(240)
        for server in made.servers():
            server.kill()


def test_the_workers_of_a_run_keep_their_servers_in_one_directory_that_goes_with_it(run: Run) -> None:
    directory = run.directory()
    assert all(run.alive())
    assert run.end() == 0, (run.folder / "output").read_text()
    until(lambda: not any(run.alive()), "the end of all that it started")
    assert not directory.exists()


@pytest.mark.parametrize(
    ("whom", "number"),
    [(os.killpg, signal.SIGINT), (os.kill, signal.SIGTERM)],
    ids=["Ctrl-C for all of it", "SIGTERM for its controller"],
)
def test_a_run_that_is_interrupted_leaves_nothing_running(
    run: Run, whom: Callable[[int, int], None], number: signal.Signals
) -> None:
    directory = run.directory()
    whom(run.process.pid, number)
    assert run.process.wait(240) == pytest.ExitCode.INTERRUPTED
    until(lambda: not any(run.alive()), "the end of all that it started")
    assert not directory.exists()


def test_what_a_killed_run_left_is_ended_by_the_next(run: Run) -> None:
    directory = run.directory()
    base = directory.parent
    run_directory._sweep(base)
    assert all(run.alive()), "a run that lives keeps what is its own"
    run.process.kill()
    run.process.wait(240)
    run_directory._sweep(base)
    until(lambda: not any(run.alive()), "the end of all that it started")
    assert not directory.exists()
