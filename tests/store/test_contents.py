"""Kept content on both databases: encrypted, bound to its call, kept once, gone when its time is over."""

from collections.abc import Iterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from content_store.cipher import About, Unreadable, seal, unseal
from content_store.schema import SCHEMA
from content_store.store import ContentStore, Kept
from content_store.tables import contents as rows
from content_store.tables import metadata
from gateway_shadow.privacy.sweeping import DAY_MS, sweep
from policy_store import privacy, tenant_secrets
from policy_store.errors import StoreAway
from policy_store.master_keys import MasterKeys
from policy_store.migrate import migrate
from spendgate.model.privacy_settings import PrivacySettings
from tests.store.conftest import Clock, Store, url
from tests.store.scenes import change, tenant

__all__ = ["url"]

KEY, SAID = b"k" * 32, b'{"prompt":"the patient said","response":null}'
HOUR_MS = 3_600_000


@pytest.fixture
def contents(url: str) -> Iterator[ContentStore]:
    made = ContentStore(url)
    migrate(made.database, schema=SCHEMA)
    yield made
    made.close()


def about(number: int = 0, kept_ms: int = 0, days: int = 30, **others: Any) -> About:
    wanted = About("acme", "app", f"e{number}", "full_trace", kept_ms, kept_ms + days * DAY_MS, "ck-1")
    return wanted._replace(**others)


def put(contents: ContentStore, *wanted: About, said: bytes = SAID) -> None:
    contents.put([Kept(each, seal(KEY, said, each)) for each in wanted])


def left(contents: ContentStore, count: int = 10) -> list[int]:
    """Which calls have content."""
    return [number for number in range(count) if contents.get("acme", "app", f"e{number}") is not None]


def test_the_steps_lead_to_the_table_of_the_program_and_know_their_own_alone(contents: ContentStore) -> None:
    contents.require_current()
    with contents.database.begin() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "version_table": SCHEMA.version_table}
        )
        assert compare_metadata(context, metadata) == []


def test_a_store_that_is_not_prepared_is_told_from_the_policy_store(url: str) -> None:
    made = ContentStore(url)
    with pytest.raises(StoreAway, match=r"^content store: .*spendgate admin migrate"):
        made.require_current()
    with pytest.raises(StoreAway, match=r"^content store: .*spendgate admin migrate"):
        made.get("acme", "app", "e1")
    with pytest.raises(StoreAway, match=r"^content store: expected sqlite:///PATH"):
        ContentStore("nonsense")
    made.close()


def test_content_comes_back_as_it_was_kept_and_a_repeat_changes_nothing(contents: ContentStore) -> None:
    put(contents, about(0), about(1))
    put(contents, about(0, kept_ms=5), said=b"{}")
    found = contents.get("acme", "app", "e0")
    assert found is not None
    assert (found.about, unseal(KEY, found.sealed, found.about)) == (about(0), SAID)
    assert contents.get("other", "app", "e0") is contents.get("acme", "app", "e9") is None
    assert (contents.summary("acme"), contents.tenants()) == ((2, 0), ["acme"])
    assert contents.erase("acme", "app", "e0") == 1
    assert contents.erase("acme", "app", "e0") == contents.erase("other", "app", "e1") == 0
    assert left(contents) == [1]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_what_sqlite_deletes_it_overwrites(contents: ContentStore) -> None:
    with contents.database.begin() as connection:
        assert connection.exec_driver_sql("PRAGMA secure_delete").scalar() == 1


def test_what_is_kept_is_read_by_nobody_who_opens_the_database(contents: ContentStore) -> None:
    put(contents, about(0))
    with contents.database.read() as connection:
        everything = repr(connection.exec_driver_sql("SELECT * FROM contents").all()).encode()
    assert b"e0" in everything
    assert not any(part in everything for part in (b"patient", b"prompt", SAID.hex().encode()))


@given(
    which=st.sampled_from(["tenant", "source", "event_id", "mode", "key_id", "kept_ms", "until_ms"]),
    flipped=st.integers(0, 60),
)
def test_content_that_was_changed_or_moved_does_not_open(which: str, flipped: int) -> None:
    wanted = about(0)
    sealed = seal(KEY, SAID, wanted)
    changes: dict[str, Any] = {which: {"mode": "redacted_trace", "kept_ms": 1, "until_ms": 1}.get(which, "else")}
    moved = wanted._replace(**changes)
    for key, raw, whose in (
        (KEY, sealed, moved),
        (KEY, sealed[:flipped] + bytes([sealed[flipped] ^ 1]) + sealed[flipped + 1 :], wanted),
        (KEY, sealed[:flipped], wanted),
        (b"x" * 32, sealed, wanted),
    ):
        with pytest.raises(Unreadable):
            unseal(key, raw, whose)
    assert seal(KEY, SAID, wanted) != sealed, "no nonce comes twice"


KEPT_DAYS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 40)), min_size=1, max_size=10)


@given(kept=KEPT_DAYS, retention_days=st.integers(1, 40), at_day=st.integers(0, 90))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
def test_content_goes_by_the_shorter_of_the_retention_then_and_now(
    contents: ContentStore, kept: list[tuple[int, int]], retention_days: int, at_day: int
) -> None:
    contents.erase_all("acme", ["ck-1"])
    put(contents, *(about(n, day * DAY_MS, days) for n, (day, days) in enumerate(kept)))
    now_ms = at_day * DAY_MS
    due = [n for n, (day, days) in enumerate(kept) if at_day >= day + min(days, retention_days)]
    assert contents.sweep("acme", now_ms, retention_days * DAY_MS, ["ck-1"]) == len(due)
    assert left(contents) == [n for n in range(len(kept)) if n not in due]


def test_what_no_key_opens_is_swept_once_the_list_of_keys_cannot_be_older(contents: ContentStore) -> None:
    put(contents, about(0, 0), about(1, HOUR_MS, key_id="ck-2"), about(2, 0, key_id="ck-2"))
    assert contents.sweep("acme", HOUR_MS, 30 * DAY_MS, ["ck-1"]) == 1
    assert left(contents) == [0, 1]
    assert contents.erase_all("acme", ["ck-2"]) == 1
    assert left(contents) == [0]


def test_many_go_in_parts(contents: ContentStore) -> None:
    put(contents, *(about(number) for number in range(1203)))
    assert contents.summary("acme").calls == 1203
    assert contents.sweep("acme", 30 * DAY_MS, 90 * DAY_MS, ["ck-1"]) == 1203


def test_the_sweeper_asks_each_tenants_own_settings_by_its_own_clock(store: Store, tmp_path_factory: Any) -> None:
    made = ContentStore(f"sqlite:///{tmp_path_factory.mktemp('contents') / 'c.db'}")
    migrate(made.database, schema=SCHEMA)
    store.clock = Clock(0)
    keys = {}
    for name, days in (("acme", 2), ("other", 5)):
        tenant(store, name)
        with change(store, tenant=name) as now:
            wanted = PrivacySettings(mode="full_trace", retention_days=days)
            privacy.set_settings(now, wanted, revision=0, why="why", master=MasterKeys([b"m" * 32]), keeps=True)
            keys[name] = tenant_secrets.ensure(now, MasterKeys([b"m" * 32]), "content").id
        put(made, about(0, 0, tenant=name, key_id=keys[name]))
    swept = []
    for day in range(7):
        store.clock.ms = day * DAY_MS
        swept.append(sweep(store.changes, made))
    assert swept == [0, 0, 1, 0, 0, 1, 0]
    with made.database.begin() as connection:
        connection.execute(update(rows).values(until_ms=0))
    made.close()
