"""Keys: shown once, stored as a hash, found by their prefix, ended at once."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from policy_store import api_keys
from policy_store.errors import NotFound, Refused
from tests.store.conftest import Store
from tests.store.scenes import change, tenant

HOUR_MS = 3_600_000


def made(store: Store, role: api_keys.Role = "editor", expires_ms: int | None = None) -> api_keys.Shown:
    with change(store, "root") as now:
        return api_keys.create(now, "ann", role, expires_ms)


@pytest.fixture
def ready(store: Store) -> Store:
    """A store with a tenant."""
    tenant(store)
    return store


def test_a_key_proves_itself_and_no_other_text_does(ready: Store) -> None:
    shown, other = made(ready), made(ready)
    parts = api_keys.parse(shown.text)
    assert parts is not None
    assert parts.id == shown.key.id
    assert api_keys.proves(parts.secret, shown.key)
    assert not api_keys.proves(parts.secret, other.key)
    assert not api_keys.proves(parts.secret, None)
    assert not api_keys.proves("", None)


def test_nothing_that_is_stored_lets_anybody_in(ready: Store) -> None:
    shown = made(ready)
    parts = api_keys.parse(shown.text)
    assert parts is not None
    with ready.database.begin() as connection:
        tables = ("api_keys", "audit", "outbox")
        stored = [row for table in tables for row in connection.execute(text(f"SELECT * FROM {table}"))]
    assert parts.secret not in str(stored)
    assert shown.key.secret_sha256 in str(stored)


def test_a_scanner_for_leaks_finds_a_key_in_a_text(ready: Store) -> None:
    log = f"config: key={made(ready).text}\n"
    assert len(re.findall(r"sgk_[A-Za-z0-9]{12}_[A-Za-z0-9]{49}", log)) == 1


@given(at=st.integers(0, 65), other=st.characters(codec="ascii", categories=["L", "N"]))
def test_a_mistyped_key_is_known_without_the_database(at: int, other: str) -> None:
    body = "sgk_" + "a" * 12 + "_" + "b" * 43
    good = body + api_keys._check(body)
    assert api_keys.parse(good) is not None
    at = min(at, len(good) - 1)
    wrong = good[:at] + other + good[at + 1 :]
    assert (api_keys.parse(wrong) is None) == (wrong != good)


@pytest.mark.parametrize("text", ["", "sgk_", "Bearer x", "sgk_" + "é" * 62, "sgk_" + "a" * 200])
def test_what_is_no_key_is_none(text: str) -> None:
    assert api_keys.parse(text) is None


def test_a_key_ends_when_it_expires_and_at_once_when_it_is_revoked(ready: Store) -> None:
    shown = made(ready, expires_ms=ready.clock.ms + HOUR_MS)
    assert shown.key.is_valid(ready.clock.ms)
    assert not shown.key.is_valid(ready.clock.ms + HOUR_MS)
    with change(ready, "root") as now:
        api_keys.revoke(now, shown.key.id, "leaked")
        found = api_keys.get(now.connection, shown.key.id)
    assert found is not None
    assert not found.is_valid(ready.clock.ms)
    with pytest.raises(Refused, match="revoked already"), change(ready, "root") as now:
        api_keys.revoke(now, shown.key.id)


def test_a_rotated_key_and_its_successor_hold_together_for_a_while(ready: Store) -> None:
    old = made(ready)
    with change(ready, "root") as now:
        new = api_keys.rotate(now, old.key.id, HOUR_MS)
    ready.clock.ms += HOUR_MS - 1
    with ready.database.begin() as connection:
        valid = api_keys.listed(connection, "acme", valid_ms=ready.clock.ms)
        assert {each.id for each in valid} == {old.key.id, new.key.id}
        later = api_keys.listed(connection, "acme", valid_ms=ready.clock.ms + 1)
        assert [each.id for each in later] == [new.key.id]
    assert (new.key.person, new.key.role, new.key.replaces) == ("ann", "editor", old.key.id)


def test_a_rotation_never_lengthens_the_life_of_the_old_key(ready: Store) -> None:
    old = made(ready, expires_ms=ready.clock.ms + 10)
    with change(ready, "root") as now:
        api_keys.rotate(now, old.key.id, HOUR_MS)
        found = api_keys.get(now.connection, old.key.id)
    assert found is not None
    assert found.expires_ms == ready.clock.ms + 10


def test_a_tenant_cannot_end_the_key_of_another(ready: Store) -> None:
    shown = made(ready)
    tenant(ready, "other")
    with pytest.raises(NotFound), change(ready, "eve", "other") as now:
        api_keys.revoke(now, shown.key.id)


def test_an_expiry_that_has_passed_is_refused(ready: Store) -> None:
    with pytest.raises(Refused, match="not passed"):
        made(ready, expires_ms=ready.clock.ms)
