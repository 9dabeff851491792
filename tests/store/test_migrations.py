"""The steps lead to exactly the tables of the program; twice does no harm; what is too new is told."""

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from policy_store.database import Database
from policy_store.errors import StoreAway
from policy_store.migrate import migrate, require_current
from policy_store.tables import metadata
from tests.store.conftest import Store


def test_the_steps_lead_to_the_tables_of_the_program(store: Store) -> None:
    with store.database.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_a_database_is_brought_up_once(store: Store) -> None:
    before, after = migrate(store.database)
    assert before == after is not None
    require_current(store.database)


def test_two_processes_that_bring_it_up_at_once_do_no_harm(url: str) -> None:
    failed: list[Exception] = []

    def run() -> None:
        try:
            migrate(Database(url))
        except StoreAway as error:
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    require_current(Database(url))


def test_a_step_that_is_interrupted_leaves_nothing_behind(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(url)
    with monkeypatch.context() as patched:
        patched.setattr("policy_store.migrate.command.upgrade", _upgrade_and_fail)
        with pytest.raises(KeyboardInterrupt):
            migrate(database)
    with database.begin() as connection:
        assert inspect(connection).get_table_names() == []
    migrate(database)
    require_current(database)


def _upgrade_and_fail(config: object, _: str) -> None:
    connection = config.attributes["connection"]  # type: ignore[attr-defined]
    connection.execute(text("CREATE TABLE tenants (name VARCHAR(128) PRIMARY KEY)"))
    raise KeyboardInterrupt


def test_an_unprepared_database_is_told_with_the_command_that_prepares_it(url: str) -> None:
    with pytest.raises(StoreAway, match="spendgate admin migrate"):
        require_current(Database(url))


def test_a_database_of_a_newer_program_is_left_alone(store: Store) -> None:
    with store.database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for ask in (migrate, require_current):
        with pytest.raises(StoreAway, match="newer schema"):
            ask(store.database)


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "sqlite+aiosqlite:///x", "postgresql://h/d"])
def test_what_is_no_known_database_is_told(url: str) -> None:
    with pytest.raises(StoreAway, match="expected sqlite:///PATH"):
        Database(url)


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreAway, match="cannot be opened"):
        migrate(Database(f"sqlite:///{tmp_path}/none/store.db"))
