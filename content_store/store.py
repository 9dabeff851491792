"""Kept content: put once a call, read by the call's identity, erased on demand, swept when its time is over."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, event, func, select
from sqlalchemy.dialects import postgresql, sqlite

from content_store.cipher import About
from content_store.schema import SCHEMA
from content_store.tables import contents
from policy_store.database import Database
from policy_store.errors import StoreAway
from policy_store.migrate import require_current

_TOGETHER = 500
_ORPHANED_MS = 3_600_000
"""Content whose key nobody has is left for so long: the key may be younger than the list that does not have it."""
_COLUMNS = [contents.c[name] for name in (*About._fields, "sealed")]


class Kept(NamedTuple):
    """Encrypted content, and whose it is."""

    about: About
    sealed: bytes


class Summary(NamedTuple):
    """How many calls' content a tenant has here, and since when the oldest."""

    calls: int
    oldest_ms: int | None


class ContentStore:
    """One database of content. Every method raises StoreAway."""

    def __init__(self, url: str) -> None:
        """Raises StoreAway for what is no URL of a database that is known here."""
        with _told():
            self.database = Database(url)
        if self.database.is_sqlite:
            event.listen(self.database.engine, "connect", _overwrite)

    def require_current(self) -> None:
        """Raises StoreAway unless the database has the schema of this program."""
        with _told():
            require_current(self.database, SCHEMA)

    def put(self, kept: Sequence[Kept]) -> None:
        """Add content. A call that has some keeps it: whoever sends the same again changes nothing."""
        insert = sqlite.insert if self.database.is_sqlite else postgresql.insert
        rows = [{**each.about._asdict(), "sealed": each.sealed} for each in kept]
        with self._begin() as connection:
            for start in range(0, len(rows), _TOGETHER):
                connection.execute(insert(contents).on_conflict_do_nothing(), rows[start : start + _TOGETHER])

    def get(self, tenant: str, source: str, event_id: str) -> Kept | None:
        """The content of a call."""
        with _told(), self.database.read() as connection:
            row = connection.execute(select(*_COLUMNS).where(*_of(tenant, source, event_id))).one_or_none()
        return None if row is None else Kept(About(*row[:-1]), row[-1])

    def erase(self, tenant: str, source: str, event_id: str) -> int:
        """Delete the content of a call; how many rows there were."""
        with self._begin() as connection:
            return connection.execute(delete(contents).where(*_of(tenant, source, event_id))).rowcount

    def erase_all(self, tenant: str, keys: Collection[str]) -> int:
        """Delete all of a tenant's content that is under some data keys; of how many calls."""
        return self._delete(tenant, contents.c.key_id.in_(list(keys)))

    def summary(self, tenant: str) -> Summary:
        """What a tenant has here."""
        wanted = select(func.count(), func.min(contents.c.kept_ms)).where(contents.c.tenant == tenant)
        with _told(), self.database.read() as connection:
            return Summary(*connection.execute(wanted).one())

    def tenants(self) -> list[str]:
        """Who has anything here."""
        with _told(), self.database.read() as connection:
            return list(connection.scalars(select(contents.c.tenant).distinct()))

    def sweep(self, tenant: str, now_ms: int, retention_ms: int, keys: Collection[str]) -> int:
        """Delete what a tenant's content is past: the retention that held when it was kept, or the one that holds now;
        and what none of ``keys`` (ids of data keys) opens. How many calls."""
        past = (
            (contents.c.until_ms <= now_ms)
            | (contents.c.kept_ms <= now_ms - retention_ms)
            | (contents.c.key_id.not_in(list(keys)) & (contents.c.kept_ms <= now_ms - _ORPHANED_MS))
        )
        return self._delete(tenant, past)

    def _delete(self, tenant: str, which: ColumnElement[bool]) -> int:
        """Some at a time, so that nobody who puts waits for long."""
        some = select(contents.c.number).where(contents.c.tenant == tenant, which).limit(_TOGETHER)
        deleted = 0
        while True:
            with self._begin() as connection:
                found = connection.execute(delete(contents).where(contents.c.number.in_(some))).rowcount
            deleted += found
            if found < _TOGETHER:
                return deleted

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        with _told(), self.database.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close what is open."""
        self.database.close()


def _of(tenant: str, source: str, event_id: str) -> tuple[ColumnElement[bool], ...]:
    return contents.c.tenant == tenant, contents.c.source == source, contents.c.event_id == event_id


def _overwrite(connection: Any, _: Any) -> None:
    """What SQLite deletes it overwrites too."""
    connection.execute("PRAGMA secure_delete=ON")


@contextmanager
def _told() -> Iterator[None]:
    """Failures of this database, told from those of the policy store."""
    try:
        yield
    except StoreAway as error:
        words = str(error)
        raise StoreAway(words if words.startswith(SCHEMA.name) else f"content {words}") from error.__cause__
