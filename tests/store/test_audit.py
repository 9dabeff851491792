"""The trail: every change leaves a row, and a row that was changed, removed or put elsewhere is found."""

import pytest
from sqlalchemy import Connection, delete, update

from policy_store import audit
from policy_store.audit import Head
from policy_store.tables import audit as rows
from policy_store.tables import audit_heads
from tests.store.conftest import Store
from tests.store.scenes import TENANT, change, tenant

AT_THE_END = "removed at the end, or added behind the trail's back"


@pytest.fixture
def noted(store: Store) -> Store:
    """A store with two chains, one of five rows."""
    tenant(store)
    tenant(store, "other")
    for number in range(4):
        with change(store, f"person-{number}") as made:
            made.note("edit", "policy p", {"cap": str(number)}, {"cap": str(number + 1)}, "growth")
    return store


def found(store: Store, kept: dict[str, Head] | None = None) -> list[str]:
    with store.database.begin() as connection:
        return [f"{each.number}: {each.words.partition(':')[0]}" for each in audit.verify(connection, kept)]


def test_an_untouched_trail_is_whole(noted: Store) -> None:
    assert found(noted) == []
    with noted.database.begin() as connection:
        chain = audit.entries(connection, TENANT)
        assert [each.number for each in chain] == [1, 2, 3, 4, 5]
        assert (chain[1].who, chain[1].before, chain[1].why) == ("person-0", '{"cap": "0"}', "growth")


@pytest.mark.parametrize("field", ["who", "action", "subject", "before", "after", "why"])
def test_a_changed_word_is_found(noted: Store, field: str) -> None:
    with noted.database.begin() as connection:
        connection.execute(update(rows).where(rows.c.tenant == TENANT, rows.c.number == 3).values({field: "other"}))
    assert found(noted) == ["3: changed"]


def test_a_changed_time_is_found(noted: Store) -> None:
    with noted.database.begin() as connection:
        connection.execute(update(rows).where(rows.c.tenant == TENANT, rows.c.number == 1).values(at_ms=1))
    assert found(noted) == ["1: changed"]


@pytest.mark.parametrize(
    ("number", "words"),
    [(1, "1: removed"), (3, "3: removed"), (5, f"4: {AT_THE_END}")],
)
def test_a_removed_row_is_found(noted: Store, number: int, words: str) -> None:
    with noted.database.begin() as connection:
        connection.execute(delete(rows).where(rows.c.tenant == TENANT, rows.c.number == number))
    assert words in found(noted)


def test_rows_that_changed_places_are_found(noted: Store) -> None:
    with noted.database.begin() as connection:
        for before, after in ((2, 99), (3, 2), (99, 3)):
            mine = update(rows).where(rows.c.tenant == TENANT, rows.c.number == before)
            connection.execute(mine.values(number=after))
    assert {"2: changed", "3: changed"} <= set(found(noted))


def test_a_row_of_another_tenant_is_found(noted: Store) -> None:
    with noted.database.begin() as connection:
        moved = update(rows).where(rows.c.tenant == "other", rows.c.number == 1)
        connection.execute(moved.values(tenant=TENANT, number=6))
    assert {"6: changed", f"6: {AT_THE_END}"} <= set(found(noted))


def test_a_chain_that_was_wholly_rewritten_is_found_by_a_head_kept_elsewhere(noted: Store) -> None:
    with noted.database.begin() as connection:
        kept = audit.heads(connection)
        connection.execute(delete(rows))
        connection.execute(delete(audit_heads))
    tenant_again = noted
    with change(tenant_again, "eve") as made:
        made.note("edit", "policy p", None, {"cap": "1"})
    assert found(noted) == []
    assert "5: rewritten" in found(noted, kept)


def test_a_kept_head_stays_good_while_the_trail_grows(noted: Store) -> None:
    with noted.database.begin() as connection:
        kept = audit.heads(connection)
    with change(noted, "ann") as made:
        made.note("edit", "policy p", None, None)
    assert found(noted, kept) == []


def test_a_trail_that_grows_while_it_is_verified_is_whole(noted: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    heads = audit.heads

    def and_then_it_grows(connection: Connection) -> dict[str, Head]:
        known = heads(connection)
        with change(noted, "ann") as made:
            made.note("edit", "policy p", None, None)
        return known

    monkeypatch.setattr(audit, "heads", and_then_it_grows)
    with noted.database.snapshot() as connection:
        assert audit.verify(connection) == []


def test_a_trail_of_more_rows_than_a_page_is_verified_whole(noted: Store) -> None:
    with change(noted, "ann") as made:
        for _ in range(1200):
            made.note("edit", "policy p", None, None)
    assert found(noted) == []
    with noted.database.begin() as connection:
        connection.execute(update(rows).where(rows.c.tenant == TENANT, rows.c.number == 1100).values(who="eve"))
    assert found(noted) == ["1100: changed"]


def test_a_change_that_fails_leaves_no_row(noted: Store) -> None:
    with pytest.raises(ZeroDivisionError), change(noted) as made:
        made.note("edit", "policy p", None, None)
        raise ZeroDivisionError
    with noted.database.begin() as connection:
        assert len(audit.entries(connection, TENANT)) == 5
    assert found(noted) == []


def test_one_tenants_trail_is_verified_by_itself(noted: Store) -> None:
    with noted.database.begin() as connection:
        connection.execute(update(rows).where(rows.c.tenant == "other").values(who="nobody"))
        assert audit.verify(connection, tenant=TENANT) == []
        assert [each.tenant for each in audit.verify(connection, tenant="other")] == ["other"]
