"""Sessions: proven by a secret that is not stored; over when idle, old, ended, or when their key has ended."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from policy_store import api_keys, audit, login_codes, sessions
from policy_store.errors import NotFound, Refused
from policy_store.login_codes import LASTS_MS, challenge_of
from policy_store.sessions import KEPT_MS, Begun, Grant, Session, Terms
from tests.store.conftest import Store
from tests.store.scenes import change, tenant

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
EDITOR, APPROVER, ELSEWHERE = Grant("acme", "editor"), Grant("acme", "approver"), Grant("labs", "viewer")


def terms(store: Store, **others: str) -> Terms:
    return Terms(HOUR_MS, store.clock.ms + DAY_MS, **others)


def begun(store: Store, *grants: Grant, key_id: str | None = None) -> Begun:
    with change(store) as made:
        return sessions.begin(made, "ann", grants or (EDITOR,), Terms(HOUR_MS, store.clock.ms + DAY_MS, key_id))


def found(store: Store, id_: str) -> Session:
    with store.database.read() as connection:
        session = sessions.get(connection, id_)
    assert session is not None
    return session


@pytest.fixture
def ready(store: Store) -> Store:
    """A store with two tenants."""
    tenant(store)
    tenant(store, "labs")
    return store


def test_a_session_is_proven_by_its_own_text_and_nothing_stored_lets_anybody_in(ready: Store) -> None:
    one, other = begun(ready), begun(ready)
    parts = sessions.parse(one.text)
    assert parts is not None
    assert parts.id == one.session.id
    assert api_keys.proves_hash(parts.secret, found(ready, parts.id).secret_sha256)
    assert not api_keys.proves_hash(parts.secret, other.session.secret_sha256)
    with ready.database.read() as connection:
        tables = ("sessions", "session_grants", "audit")
        stored = [row for table in tables for row in connection.execute(text(f"SELECT * FROM {table}"))]
    assert parts.secret not in str(stored)


@pytest.mark.parametrize("wrong", ["", "ses-", "ses-0123456789abcdef", "x" * 64, "ses-" + "é" * 60, "sgk_" + "a" * 62])
def test_what_is_no_session_is_none(wrong: str) -> None:
    assert sessions.parse(wrong) is None


@given(
    steps=st.lists(st.integers(0, 3 * HOUR_MS), max_size=12), idle_ms=st.integers(1, 2 * HOUR_MS),
    lasts_ms=st.integers(1, 12 * HOUR_MS), key_ms=st.none() | st.integers(0, 12 * HOUR_MS),
)  # fmt: skip
def test_a_session_holds_exactly_while_it_is_used_is_young_and_its_key_is_good(
    steps: list[int], idle_ms: int, lasts_ms: int, key_ms: int | None
) -> None:
    session = Session(
        "ses-1", "", "acme", "ann", "editor", None, None, None, 0, 0, idle_ms, lasts_ms, None, None, key_ms
    )
    now = 0
    for step in steps:
        now += step
        holds = step < idle_ms and now < lasts_ms and (key_ms is None or now < key_ms)
        assert session.is_valid(now) == holds
        if not holds:
            return
        session = session._replace(seen_ms=now)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_use_is_noted_and_never_goes_back(ready: Store, data: st.DataObject) -> None:
    session = begun(ready).session
    uses = data.draw(st.lists(st.integers(-HOUR_MS, HOUR_MS), min_size=1, max_size=5))
    for each in uses:
        with ready.database.begin() as connection:
            sessions.touch(connection, session.id, session.seen_ms + each)
    assert found(ready, session.id).seen_ms == session.seen_ms + max(0, *uses)


def test_a_session_begun_by_a_key_ends_with_it(ready: Store) -> None:
    with change(ready, "root") as made:
        key = api_keys.create(made, "ann", "editor", ready.clock.ms + 10 * HOUR_MS).key
    one = begun(ready, key_id=key.id).session
    assert found(ready, one.id).over_ms == one.seen_ms + HOUR_MS
    with change(ready, "root") as made:
        api_keys.rotate(made, key.id, HOUR_MS // 2)
    assert found(ready, one.id).over_ms == ready.clock.ms + HOUR_MS // 2
    with change(ready, "root") as made:
        api_keys.revoke(made, key.id)
    assert not found(ready, one.id).is_valid(ready.clock.ms)


def test_the_grant_in_force_is_one_of_the_sessions_own_and_the_old_text_proves_nothing_after_a_switch(
    ready: Store,
) -> None:
    before = begun(ready, EDITOR, APPROVER, ELSEWHERE)
    assert (before.session.tenant, before.session.role) == EDITOR
    with change(ready, tenant="labs") as made:
        after = sessions.switch(made, before.session.id, "viewer")
    assert found(ready, before.session.id)[2:5] == ("labs", "ann", "viewer")
    old, new = sessions.parse(before.text), sessions.parse(after.text)
    assert old is not None
    assert new is not None
    stored = found(ready, new.id).secret_sha256
    assert (api_keys.proves_hash(old.secret, stored), api_keys.proves_hash(new.secret, stored)) == (False, True)
    for where, role in (("labs", "operator"), ("acme", "viewer")):
        with pytest.raises(Refused, match="one of the session's"), change(ready, tenant=where) as made:
            sessions.switch(made, before.session.id, role)  # type: ignore[arg-type]


def test_an_operator_ends_sessions_of_their_own_tenant_alone(ready: Store) -> None:
    both, only = begun(ready, EDITOR, ELSEWHERE).session, begun(ready).session
    with pytest.raises(NotFound), change(ready, "eve", "labs") as made:
        sessions.revoke(made, only.id)
    with change(ready, "eve", "labs") as made:
        assert [each.id for each in sessions.revoke_all(made, "ann")] == [both.id]
    assert (found(ready, both.id).ended_by, found(ready, only.id).ended_by) == ("eve", None)
    with ready.database.read() as connection:
        assert [each.id for each in sessions.listed(connection, "acme", valid_ms=ready.clock.ms)] == [only.id]
    with pytest.raises(Refused, match="over already"), change(ready) as made:
        sessions.end(made, both.id)


def test_login_switch_logout_and_revocation_leave_rows_in_the_trail(ready: Store) -> None:
    one, other = begun(ready, EDITOR, APPROVER).session, begun(ready).session
    with change(ready) as made:
        sessions.switch(made, one.id, "approver")
        sessions.end(made, one.id)
    with change(ready, "op") as made:
        sessions.revoke(made, other.id, "left the company")
    with ready.database.read() as connection:
        rows = audit.entries(connection, "acme")[1:]
        assert audit.verify(connection) == []
    assert [(each.who, each.action, each.subject[-19:]) for each in rows] == [
        ("ann", "login", one.id[-19:]), ("ann", "login", other.id[-19:]), ("ann", "switch", one.id[-19:]),
        ("ann", "logout", one.id[-19:]), ("op", "revoke", other.id[-19:]),
    ]  # fmt: skip


def test_what_has_been_over_for_long_goes_when_somebody_signs_in(ready: Store) -> None:
    old, young = begun(ready, EDITOR, ELSEWHERE), begun(ready)
    with change(ready) as made:
        login_codes.offer(made, old.session, EDITOR, challenge_of("v"))
        sessions.end(made, old.session.id)
    ready.clock.ms += KEPT_MS + 1
    begun(ready)
    with ready.database.read() as connection:
        assert sessions.get(connection, old.session.id) is None
        assert sessions.grants_of(connection, old.session.id) == []
        assert sessions.get(connection, young.session.id) is not None


# Codes for commands


def offered(store: Store, session: Session, verifier: str, grant: Grant = EDITOR) -> str:
    with change(store) as made:
        return login_codes.offer(made, session, grant, challenge_of(verifier))


def redeem(store: Store, code: str, verifier: str) -> bool:
    with store.database.read() as connection:
        known = login_codes.find(connection, code)
    if known is None:
        return False
    try:
        with change(store) as made:
            login_codes.redeem(made, known, verifier)
    except Refused:
        return False
    return True


def test_a_code_is_good_once_for_a_minute_and_for_who_began_it(ready: Store) -> None:
    session = begun(ready, EDITOR, APPROVER).session
    code = offered(ready, session, "mine", APPROVER)
    assert [redeem(ready, code, "yours"), redeem(ready, "nothing", "mine")] == [False, False]
    assert [redeem(ready, code, "mine"), redeem(ready, code, "mine")] == [True, False]
    late = offered(ready, session, "mine")
    ready.clock.ms += LASTS_MS
    assert not redeem(ready, late, "mine")


def test_a_code_ends_with_its_session_and_stands_for_no_more_than_it(ready: Store) -> None:
    session = begun(ready).session
    code = offered(ready, session, "mine")
    with pytest.raises(Refused, match="one of the session's"):
        offered(ready, session, "mine", APPROVER)
    with change(ready) as made:
        sessions.end(made, session.id)
    assert not redeem(ready, code, "mine")
