"""The directory of a run's servers, which are ended with it.

All lie below one directory of the system's temporary one. A run that was killed leaves its servers to the next,
which ends them: the lock of their directory is free by then. So it does with all that the run's processes started,
which carry the name of the directory in their environment. Under pytest-xdist the controller makes the directory
and holds its lock; its workers are told the path, and what they share is ended when the last of them has gone.
"""

import fcntl
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from dev import stack as local_stack
from dev.kafka_process import KafkaProcess
from dev.postgres_process import PostgresProcess
from dev.redis_process import RedisProcess

__all__ = ["run_directory"]

_MADE = pytest.StashKey[Path]()
_TOLD = "spendgate_run_directory"
_MARK = "TESTS_RUN_DIRECTORY"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where its run's servers are kept."""
    node.workerinput[_TOLD] = str(_of(node.config))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a cancelled run ends as one that Ctrl-C ends


def pytest_configure(config: pytest.Config) -> None:
    """Have all that a worker starts carry the name of its run."""
    if _TOLD in _told(config):
        os.environ[_MARK] = str(_of(config))


@pytest.fixture(scope="session")
def run_directory(pytestconfig: pytest.Config) -> Path:
    """The directory of this run, the same in all of its workers."""
    return _of(pytestconfig)


def _of(config: pytest.Config) -> Path:
    if _TOLD in _told(config):
        return Path(_told(config)[_TOLD])
    if _MADE not in config.stash:
        kept = ExitStack()
        made = config.stash[_MADE] = kept.enter_context(_made())
        config.add_cleanup(kept.close)
        os.environ[_MARK] = str(made)
    return config.stash[_MADE]


def _told(config: pytest.Config) -> Mapping[str, str]:
    """What the controller has told this worker; nothing, where this is none."""
    told: Mapping[str, str] = getattr(config, "workerinput", {})
    return told


@contextmanager
def _made() -> Iterator[Path]:
    """A directory that is this run's for as long as its lock is held."""
    base = Path(tempfile.gettempdir()) / f"spendgate-tests-{os.getuid()}"
    base.mkdir(mode=0o711, exist_ok=True)
    base.chmod(0o711)  # as root PostgreSQL runs as another user, whose directory lies below
    with (base / "lock").open("ab") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        _sweep(base)
        run = Path(tempfile.mkdtemp(prefix="run-", dir=base))
        run.chmod(0o711)
        owner = (run / "owner").open("ab")
        fcntl.flock(owner, fcntl.LOCK_EX)
    try:
        yield run
    finally:
        _clear(run)
        owner.close()


def _sweep(base: Path) -> None:
    """Clear what runs that no longer live have left."""
    for run in base.glob("run-*"):
        # Its run lives and holds the lock, or has this moment deleted the directory itself.
        with suppress(BlockingIOError, FileNotFoundError), (run / "owner").open("ab") as owner:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _clear(run)


def _clear(run: Path) -> None:
    _kill_what_carries(f"{_MARK}={run}")
    for config in run.rglob("server.properties"):
        KafkaProcess(config.parent, 1, 1).kill()
    for config in run.rglob("redis.conf"):
        RedisProcess(config.parent, 1).kill()
    for version in run.rglob("PG_VERSION"):
        if version.parent.name == "data":
            PostgresProcess(version.parent.parent, run, 1).kill()
    for state in run.rglob("stack.json"):  # Docker's containers are no processes of ours
        local_stack.down(state.parent)
    shutil.rmtree(run, ignore_errors=True)


def _kill_what_carries(setting: str) -> None:
    """Kill doors, workers and commands of the run that still live, where the system tells environments."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.fsencode(setting) in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)
