"""``spendgate admin migrate``, killed between two statements: run again, the database is whole and has lost nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from policy_store.database import Database
from policy_store.migrate import migrate, require_current
from policy_store.tables import metadata

ROOT = Path(__file__).resolve().parents[2]
KILLED_AFTER = """
import os, signal, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
from spendgate.cli.main import main

left = int(sys.argv.pop(1))

@event.listens_for(Engine, "after_cursor_execute")
def executed(connection, cursor, statement, parameters, context, executemany):
    global left
    left -= statement.lstrip().upper().startswith("CREATE")
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

main()
"""


@pytest.mark.parametrize(("known", "statements"), [(None, 5), ("0001", 2)])
def test_a_migration_that_is_killed_is_taken_up_again(url: str, known: str | None, statements: int) -> None:
    database = Database(url)
    if known is not None:
        migrate(database, known)
        with database.begin() as connection:
            connection.execute(text("INSERT INTO audit_heads VALUES ('acme', 7, 'seven')"))
    command = [sys.executable, "-c", KILLED_AFTER, str(statements), "admin", "migrate"]
    killed = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "SPENDGATE_STORE": url}, capture_output=True, timeout=60, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    before, after = migrate(database)
    assert (before, after != before) == (known, True), "nothing of the step was left"
    require_current(database)
    with database.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        heads = connection.execute(text("SELECT number FROM audit_heads")).scalars().all()
    assert heads == ([] if known is None else [7])
    database.close()
