"""Brings a database to the schema of this program, step by step; each step wholly or not at all."""

from pathlib import Path
from typing import NamedTuple

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from policy_store.database import Database, told
from policy_store.errors import StoreAway


class Schema(NamedTuple):
    """A database's steps: what the database is called, their folder, and the table that says which were taken."""

    name: str
    folder: Path
    version_table: str = "alembic_version"


STORE = Schema("store", Path(__file__).parent / "migrations")
_ONE_AT_A_TIME = 7_105_733_019
"""An advisory lock of PostgreSQL, held while steps are taken."""


def migrate(database: Database, to: str = "head", schema: Schema = STORE) -> tuple[str | None, str | None]:
    """The revision before and after. Two processes may call it at once. Raises StoreAway."""
    with database.begin() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})
        before = _revision(connection, schema)
        _require_known(before, schema)
        command.upgrade(_config(connection, schema), to)
        return before, _revision(connection, schema)


def require_current(database: Database, schema: Schema = STORE) -> None:
    """Raises StoreAway unless the database has the schema of this program."""
    with database.read() as connection:
        found, wanted = _revision(connection, schema), _script(schema).get_current_head()
    if found != wanted:
        _require_known(found, schema)
        raise StoreAway(f"{schema.name}: the database has an older schema; run: spendgate admin migrate")


def _revision(connection: Connection, schema: Schema) -> str | None:
    with told():
        return MigrationContext.configure(
            connection, opts={"version_table": schema.version_table}
        ).get_current_revision()


def _require_known(revision: str | None, schema: Schema) -> None:
    known = {script.revision for script in _script(schema).walk_revisions()}
    if revision is not None and revision not in known:
        raise StoreAway(f"{schema.name}: the database has a newer schema than this program; use a newer program")


def _script(schema: Schema) -> ScriptDirectory:
    return ScriptDirectory(str(schema.folder))


def _config(connection: Connection, schema: Schema) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(schema.folder))
    return config
