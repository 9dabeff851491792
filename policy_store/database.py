"""The database: SQLite by default, PostgreSQL in production. What it cannot do now is told as StoreAway."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as NoneIsFree

from policy_store.errors import StoreAway
from policy_store.sqlite_file import READS, SqliteFile

BUSY_S, ANSWERS_S = 5.0, 10.0
_EXPECTED = "expected sqlite:///PATH or postgresql+pg8000://USER:PASSWORD@HOST/NAME"


class Database:
    """Transactions on one database. One object a process; threads may share it."""

    def __init__(self, url: str, busy_s: float = BUSY_S, answers_s: float | None = ANSWERS_S) -> None:
        """``busy_s``: for so long a writer waits for another one, in SQLite, and whoever finds no connection free for
        one. ``answers_s``: a PostgreSQL that is silent for so long does not answer; None: it is waited for. Raises
        StoreAway for what is no URL of a database that is known here."""
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise StoreAway(f"store: {_EXPECTED}") from None
        if parsed.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+pg8000"):
            raise StoreAway(f"store: {_EXPECTED}")
        self.is_sqlite = parsed.drivername.startswith("sqlite")
        try:
            self._file = SqliteFile(url, busy_s) if self.is_sqlite else None
            self.engine = self._file.engine if self._file else create_engine(
                url, pool_pre_ping=True, pool_size=8, pool_timeout=busy_s, connect_args={"timeout": answers_s}
            )  # fmt: skip
        except (ArgumentError, NoSuchModuleError):
            raise StoreAway(f"store: {_EXPECTED}") from None

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction; committed at the end, or nothing of it is. Raises StoreAway."""
        with told(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads, and waits for no writer. Raises StoreAway."""
        with told(), self.engine.connect().execution_options(**{READS: True}) as connection, connection.begin():
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """As ``read``; all that is read is of one instant. Raises StoreAway."""
        with self.read() as connection:
            if not self.is_sqlite:  # of which every transaction is
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield connection

    def look(self) -> None:
        """Raises StoreAway unless its file can be read, or its server answers, at this moment."""
        with told():
            if self._file is not None:
                self._file.look()
            else:
                with self.engine.connect() as connection:
                    connection.exec_driver_sql("SELECT 1")

    def close(self) -> None:
        """Close what is open."""
        self.engine.dispose()


@contextmanager
def told() -> Iterator[None]:
    """Failures of the database as StoreAway, without its words: they may hold what was to be written."""
    try:
        yield
    except DBAPIError as error:
        raise StoreAway(_words(error)) from error
    except NoneIsFree as error:
        raise StoreAway("store: all connections to the database have been in use for too long; try again") from error
    except (ConnectionError, TimeoutError) as error:  # of a socket, passed on by PostgreSQL's driver
        raise StoreAway(f"store: the database does not answer ({type(error).__name__})") from error


def _words(error: DBAPIError) -> str:
    text = str(error.orig).lower()
    if "locked" in text or "busy" in text:
        return "store: another process has held the database for too long; try again"
    if "no such table" in text or "does not exist" in text or "no such column" in text:
        return "store: the database has not been prepared; run: spendgate admin migrate"
    if "full" in text:
        return "store: no room is left on the disk of the database"
    if "malformed" in text or "not a database" in text:
        return "store: the database's file is damaged, or is no database; bring back a copy of it"
    if "unable to open" in text:
        return "store: the database's file is not at its place, or cannot be opened"
    if "readonly" in text:
        return "store: the database's file cannot be opened for writing"
    return f"store: the database does not answer ({type(error.orig).__name__})"
