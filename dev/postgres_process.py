"""A PostgreSQL server as a local process, for the tests of what production keeps its policies in."""

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from dev.commands import answer, failed
from dev.errors import StackError
from dev.install import Tool, install, missing
from dev.ports import free_port
from dev.report import Report
from dev.server import ServerProcess

POSTGRES = Tool("postgres", "PostgreSQL", "postgresql", {"dnf": "postgresql-server", "yum": "postgresql-server"})
_DEBIAN = Path("/usr/lib/postgresql")
_OWNER = "spendgate"


class PostgresProcess(ServerProcess):
    """A server in ``directory``: ``data``, ``postgres.log``; any local client is let in as ``spendgate``.

    PostgreSQL does not run as root; where this process does, the server runs as ``postgres`` or ``nobody``.
    """

    name = "postgres"

    def __init__(self, directory: Path, programs: Path, port: int | None = None) -> None:
        super().__init__(directory, port or free_port())
        self.data = self.directory / "data"
        self.user = _unprivileged() if os.geteuid() == 0 else None
        self._programs = programs

    def url(self, database: str = "postgres") -> str:
        """The URL of a database for SQLAlchemy."""
        return f"postgresql+pg8000://{_OWNER}@127.0.0.1:{self.port}/{database}"

    @property
    def signature(self) -> Sequence[str]:
        """Where its data are."""
        return ("-D", str(self.data))

    def answers(self) -> bool:
        """Whether the process of these very data has said that it is ready."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready" and int(lines[0]) in self.pids

    def _prepare(self) -> None:
        if self.data.exists():
            return
        if self.user is not None:
            shutil.chown(self.directory, self.user)
        making = [
            str(self._programs / "initdb"), *self.signature, "--username", _OWNER, "--auth", "trust", "--no-sync",
            "--encoding", "UTF8", "--locale", "C",
        ]  # fmt: skip
        with self.log.open("ab") as output:
            begun = output.tell()
            done = subprocess.run(making, stdout=output, stderr=output, cwd=self.directory, user=self.user, check=False)
        if done.returncode:
            raise failed("initdb", self.log, begun)

    def _command(self) -> Sequence[str]:
        return (
            str(self._programs / "postgres"), *self.signature, "-p", str(self.port), "-h", "127.0.0.1",
            "-k", str(self.data), "-c", "fsync=off",
        )  # fmt: skip


def postgres_programs(log: Path, report: Report) -> Path:
    """The folder of PostgreSQL's programs; on Debian, as root or with a sudo that asks nothing, installed first.

    Raises:
        StackError: it is missing; the message has the command that installs it here.
    """
    found = _found()
    if found is None:
        install(POSTGRES, log, report)
        found = _found()
    if found is None:
        raise missing(POSTGRES)
    return found


def _found() -> Path | None:
    on_path = shutil.which("postgres")
    if on_path is not None and (Path(on_path).resolve().parent / "initdb").exists():
        return Path(on_path).resolve().parent
    versions = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(re.sub(r"\D", "", path.parts[-3]) or 0))
    return versions[-1].parent if versions and answer([str(versions[-1]), "--version"]) else None


def _unprivileged() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    user = next((name for name in ("postgres", "nobody") if name in known), None)
    if user is None:
        raise StackError("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")
    return user
