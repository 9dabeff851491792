"""SQLite's engine over a file. One that is moved away or replaced under a process is noticed: SQLite itself would go on
reading, and writing, what nobody finds at its place any more."""

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, NullPool, QueuePool, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DisconnectionError

READS = "spendgate_reads"
_FILE = "spendgate_file"


class SqliteFile:
    """``engine``: of all transactions. ``busy_s``: for so long a writer waits for another one, and whoever finds no
    connection free for one."""

    def __init__(self, url: str, busy_s: float) -> None:
        arguments = {"timeout": busy_s, "check_same_thread": False}
        self.engine = create_engine(url, connect_args=arguments, poolclass=QueuePool, pool_timeout=busy_s)
        self._looking = create_engine(url, connect_args=arguments, poolclass=NullPool)
        self._path = Path(self.engine.url.database or "")
        self._was_there = False
        for each in (self.engine, self._looking):
            event.listen(each, "do_connect", self._never_make_another)
        event.listen(self.engine, "connect", self._prepare)
        event.listen(self.engine, "checkout", self._require_the_same)
        event.listen(self.engine, "begin", _begin)
        event.listen(self.engine, "handle_error", _give_up_where_damaged)

    def look(self) -> None:
        """Read the file anew; what open connections remember of it proves nothing. They begin anew where it fails.
        Raises DBAPIError."""
        try:
            with self._looking.connect() as connection:
                connection.exec_driver_sql("SELECT count(*) FROM sqlite_schema")
        except BaseException:
            self.engine.dispose()
            raise

    def _never_make_another(self, _: Any, __: Any, arguments: list[Any], keywords: dict[str, Any]) -> None:
        if self._was_there:  # and is not empty because it is new
            arguments[0] = f"{Path(arguments[0]).absolute().as_uri()}?mode=rw"
            keywords["uri"] = True

    def _prepare(self, connection: Any, record: Any) -> None:
        connection.isolation_level = None  # transactions begin by ``_begin`` alone
        with suppress(sqlite3.OperationalError):  # where another process is changing it now, it does it for both
            connection.execute("PRAGMA journal_mode=WAL")
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        record.info[_FILE] = self._identity()
        self._was_there = record.info[_FILE] is not None

    def _require_the_same(self, _: Any, record: Any, __: Any) -> None:
        """SQLAlchemy opens another connection instead."""
        if record.info[_FILE] != self._identity():
            raise DisconnectionError

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


def _begin(connection: Connection) -> None:
    # A reader that becomes a writer later could find that it must begin again; so writers queue up at once.
    reads = connection.get_execution_options().get(READS)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _give_up_where_damaged(context: ExceptionContext) -> None:
    """A connection that has read a damaged page goes on to remember it when the file is whole again."""
    if type(context.original_exception) is sqlite3.DatabaseError:  # and none of its kinds: malformed, or no database
        context.is_disconnect = True
