"""Versions are never changed; an edit is seen by whoever edits what they have not read; nothing else moves."""

import threading
from collections.abc import Callable

import pytest

from policy_store import audit, policies, simulations, stagings
from policy_store.errors import Exists, NotFound, Stale, StoreError
from spendgate.model.canonical import from_canonical, policy_hash
from tests.store.conftest import Store
from tests.store.scenes import FULL, TENANT, change, drafted, policy, source, tenant


def test_a_version_is_named_by_its_content_and_kept_as_it_was_written(store: Store) -> None:
    made = drafted(store).latest
    assert made.hash == policy_hash(policy()) == policy_hash(from_canonical(made.document))
    assert (made.source, made.author, made.number) == (source(), "ann", 1)


def test_an_edit_is_a_new_draft_and_leaves_the_old_version_as_it_is(store: Store) -> None:
    first = drafted(store)
    with change(store, "bob") as made:
        second = policies.edit(made, policy("600"), source("600"), first.revision)
    with store.database.begin() as connection:
        old, new = policies.history(connection, TENANT, first.name)
    assert (old.hash, old.state, old.document) == (first.latest.hash, "simulated", first.latest.document)
    assert (new.number, new.state, new.author) == (2, "draft", "bob")
    assert second.revision == first.revision + 1


def test_the_same_content_again_is_no_new_version(store: Store) -> None:
    first = drafted(store)
    with change(store, "bob") as made:
        assert policies.edit(made, policy("500.00"), source("500.00"), 1).latest.hash == first.latest.hash
    with store.database.begin() as connection:
        assert len(policies.history(connection, TENANT, first.name)) == 1


def test_an_edit_back_to_an_earlier_content_makes_it_the_latest_again_and_stands_in_the_trail(store: Store) -> None:
    first = drafted(store)
    with change(store, "bob") as made:
        second = policies.edit(made, policy("600"), source("600"), 1)
        back = policies.edit(made, policy("500"), source("500"), second.revision)
        with pytest.raises(Stale):
            policies.edit(made, policy("700"), source("700"), second.revision)
    with store.database.read() as connection:
        found = policies.require(connection, TENANT, first.name)
        assert found == back == policies.listed(connection, TENANT)[0]
        history = policies.history(connection, TENANT, first.name)
        entry = audit.entries(connection, TENANT)[-1]
    assert (found.latest.hash, found.latest.state, found.revision) == (first.latest.hash, "simulated", 3)
    assert [each.hash for each in history] == [second.latest.hash, first.latest.hash]
    assert (entry.who, entry.action) == ("bob", "edit")
    assert second.latest.hash in (entry.before or "")
    assert first.latest.hash in (entry.after or "")


def test_who_edits_what_they_have_not_read_is_told(store: Store) -> None:
    drafted(store)
    with change(store, "bob") as made:
        policies.edit(made, policy("600"), source("600"), 1)
    with pytest.raises(Stale, match="it is at 2"), change(store, "ann") as made:
        policies.edit(made, policy("700"), source("700"), 1)


def test_of_two_who_edit_at_once_exactly_one_succeeds(store: Store) -> None:
    drafted(store)
    told = at_once(
        lambda: _edit(store, "ann", "600"),
        lambda: _edit(store, "bob", "700"),
    )
    assert sorted(type(each).__name__ for each in told) == ["NoneType", "Stale"]
    with store.database.begin() as connection:
        assert policies.require(connection, TENANT, "marketing-monthly").revision == 2


def _edit(store: Store, who: str, cap: str) -> None:
    with change(store, who) as made:
        policies.edit(made, policy(cap), source(cap), 1)


def at_once(*calls: Callable[[], None]) -> list[StoreError | None]:
    """What each of the calls raised, all made at the same moment."""
    told: list[StoreError | None] = []
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], None]) -> None:
        barrier.wait()
        try:
            call()
        except StoreError as error:
            told.append(error)
        else:
            told.append(None)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def test_a_name_is_taken_once(store: Store) -> None:
    drafted(store)
    with pytest.raises(Exists), change(store) as made:
        policies.create(made, policy("1"), source("1"))


def test_a_tenant_sees_nothing_of_another(store: Store) -> None:
    drafted(store)
    tenant(store, "other")
    with change(store, "eve", "other") as made:
        assert policies.listed(made.connection, "other") == []
        with pytest.raises(NotFound):
            policies.require(made.connection, "other", "marketing-monthly")
        with pytest.raises(NotFound):
            policies.edit(made, policy(), source(), 1)
        assert stagings.of_policy(made.connection, "other") == []


def test_only_a_simulation_over_a_full_window_makes_a_draft_simulated(store: Store) -> None:
    made = drafted(store, simulated=False).latest
    with change(store) as now:
        simulations.record(now, made.policy, made.hash, FULL._replace(full_windows=0))
        assert policies.require_version(now.connection, TENANT, made.policy, made.hash).state == "draft"
        simulations.record(now, made.policy, made.hash, FULL)
        assert policies.require_version(now.connection, TENANT, made.policy, made.hash[:8]).state == "simulated"
        assert len(simulations.of(now.connection, TENANT, made.policy, made.hash)) == 2


def test_what_fails_in_the_middle_leaves_nothing_behind(store: Store) -> None:
    tenant(store)
    with pytest.raises(Exists), change(store) as made:
        policies.create(made, policy(), source())
        policies.create(made, policy(), source())
    with store.database.begin() as connection:
        assert policies.listed(connection, TENANT) == []
