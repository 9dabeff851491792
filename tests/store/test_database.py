"""Readers wait for nobody; a writer that waits too long is told so; what the database says is never passed on."""

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import text

from dev.postgres_process import PostgresProcess
from policy_store import policies
from policy_store.database import Database, told
from policy_store.errors import StoreAway
from tests.store.conftest import Store
from tests.store.scenes import TENANT, change, drafted, policy, source


def test_a_reader_waits_for_no_writer_and_sees_nothing_half_done(store: Store) -> None:
    drafted(store)
    reader = Database(store.url, busy_s=0.01)
    with change(store, "bob") as made:
        policies.edit(made, policy("600"), source("600"), 1)
        with reader.read() as connection:
            assert policies.require(connection, TENANT, "marketing-monthly").revision == 1
    with reader.read() as connection:
        assert policies.require(connection, TENANT, "marketing-monthly").revision == 2
    reader.close()


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_writer_that_waits_too_long_is_told_to_try_again(store: Store) -> None:
    other = Database(store.url, busy_s=0.01)
    with change(store), pytest.raises(StoreAway, match="try again"), other.begin():
        pytest.fail("two writers at once")
    with other.begin() as connection:
        connection.execute(text("UPDATE leases SET holder = 'nobody'"))
    other.close()


def test_who_finds_no_connection_free_is_told_to_try_again(store: Store) -> None:
    database = Database(store.url, busy_s=0.01)
    with ExitStack() as others, pytest.raises(StoreAway, match="in use for too long; try again"):
        for _ in range(100):
            others.enter_context(database.read())
    with database.read() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    database.close()


def test_what_a_failing_statement_holds_is_not_told(store: Store) -> None:
    with pytest.raises(StoreAway) as told, store.database.begin() as connection:
        connection.execute(text("SELECT * FROM nowhere WHERE name = 'the-patient-said'"))
    assert "patient" not in str(told.value)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"not a database at all, however long this text may be" * 100)
    with pytest.raises(StoreAway, match="is no database"), Database(f"sqlite:///{tmp_path / 'store.db'}").begin():
        pytest.fail("opened")


def test_a_file_that_was_moved_away_is_neither_gone_on_with_nor_made_anew(tmp_path: Path) -> None:
    file, hidden = tmp_path / "store.db", tmp_path / "elsewhere.db"
    database = Database(f"sqlite:///{file}")
    with database.begin() as connection:
        connection.execute(text("CREATE TABLE kept (number INTEGER)"))
    file.rename(hidden)
    for _ in range(2):
        with pytest.raises(StoreAway, match="not at its place"), database.begin():
            pytest.fail("opened")
        with pytest.raises(StoreAway, match="not at its place"):
            database.look()
    assert not file.exists()
    hidden.rename(file)
    database.look()
    with database.begin() as connection:
        connection.execute(text("INSERT INTO kept VALUES (1)"))
    database.close()


def test_a_server_that_takes_a_connection_and_is_silent_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database = Database(f"postgresql+pg8000://u:p@127.0.0.1:{silent.getsockname()[1]}/store", answers_s=0.2)
        with pytest.raises(StoreAway, match="does not answer"), database.read():
            pytest.fail("opened")
        database.close()


def test_a_server_that_falls_silent_does_not_answer_and_is_used_again_afterwards(postgres: PostgresProcess) -> None:
    database = Database(postgres.url(), answers_s=0.5)
    with pytest.raises(StoreAway, match="does not answer"), database.read() as connection:
        connection.execute(text("SELECT pg_sleep(30)"))
    with database.read() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    database.close()


@pytest.mark.parametrize("error", [ConnectionResetError, BrokenPipeError])
def test_a_connection_that_breaks_in_the_middle_of_an_answer_is_told(error: type[OSError]) -> None:
    with pytest.raises(StoreAway, match="does not answer"), told():
        raise error(104, "the-patient-said")
