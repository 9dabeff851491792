"""What may be staged, by whom, and what workers are told of it, in which order."""

import pytest

from policy_store import audit, outbox, policies, stagings, tenants
from policy_store.errors import Refused, Stale
from policy_store.outbox import Row
from policy_store.signing import Verifier
from policy_store.stagings import Staging
from spendgate.model.activation import Activation
from spendgate.model.announcement import Announcement, Document, read_record
from spendgate.model.decode import decode_message
from spendgate.model.partition import partition_of
from spendgate.model.settings import Settings
from tests.store.conftest import Store
from tests.store.scenes import TENANT, change, drafted, policy, source, tenant
from tests.store.test_policies import at_once


def submit(store: Store, hash_: str, who: str = "ann", waiver: str | None = None) -> Staging:
    with change(store, who) as made:
        return stagings.submit(made, "marketing-monthly", hash_, waiver)


def approve(store: Store, staging: Staging, who: str = "bob") -> Staging:
    with change(store, who) as made:
        return stagings.approve(made, staging.id, staging.revision, store.signer)


def sent(store: Store) -> list[Row]:
    with store.database.begin() as connection:
        return outbox.waiting(connection)


def activation_of(row: Row) -> Activation:
    found = decode_message(row.key, row.value, partition_of(row.key, 8), 8)
    assert found.activation is not None
    return found.activation


def test_what_was_not_simulated_is_not_staged_unless_somebody_says_why(store: Store) -> None:
    made = drafted(store, simulated=False).latest
    with pytest.raises(Refused, match="simulation of exactly this version"):
        submit(store, made.hash)
    waived = submit(store, made.hash, waiver="the vendor is new")
    assert waived.waiver == "the vendor is new"
    assert approve(store, waived).state == "shadow"


def test_an_edit_has_to_be_simulated_anew(store: Store) -> None:
    first = drafted(store)
    with change(store, "ann") as made:
        second = policies.edit(made, policy("600"), source("600"), first.revision)
    submit(store, first.latest.hash)
    with pytest.raises(Refused) as refused:
        submit(store, second.latest.hash)
    assert refused.value.code == "not_simulated"


def test_nobody_approves_what_they_wrote(store: Store) -> None:
    asked = submit(store, drafted(store, author="ann").latest.hash, who="bob")
    with pytest.raises(Refused) as refused:
        approve(store, asked, "ann")
    assert refused.value.code == "own_work"
    assert sent(store) == []
    assert approve(store, asked, "bob").alone is False


def test_a_team_of_one_person_may_and_it_shows(store: Store) -> None:
    tenant(store, one_person=True)
    asked = submit(store, drafted(store, author="ann").latest.hash)
    assert approve(store, asked, "ann").alone is True


def test_workers_are_told_document_and_announcement_before_the_activation(store: Store) -> None:
    version = drafted(store).latest
    staged = approve(store, submit(store, version.hash))
    rows = sent(store)
    assert [row.topic for row in rows] == ["policies", "policies", "events"]
    assert read_record(rows[0].key, rows[0].value) == Document(version.hash, version.document)
    told = read_record(rows[1].key, rows[1].value)
    assert isinstance(told, Announcement)
    assert (told.staging, told.state) == (staged.id, "staged")
    activation = activation_of(rows[2])
    assert (activation.action, activation.staging, activation.hash, activation.ends) == (
        "stage", staged.id, version.hash, [],
    )  # fmt: skip


def test_what_workers_are_told_is_signed_and_a_changed_byte_is_not(store: Store) -> None:
    approve(store, submit(store, drafted(store).latest.hash))
    activation, verifier = activation_of(sent(store)[2]), Verifier([store.signer.public])
    assert verifier.is_signed(activation)
    activation.ends = ["stg-other"]
    assert not verifier.is_signed(activation)
    activation.signature = None
    assert not verifier.is_signed(activation)


def test_a_new_version_ends_the_one_before_it_in_the_same_record(store: Store) -> None:
    first = drafted(store)
    old = approve(store, submit(store, first.latest.hash))
    with change(store, "ann") as made:
        second = policies.edit(made, policy("600"), source("600"), first.revision)
    new = approve(store, submit(store, second.latest.hash, waiver="small"))
    with store.database.begin() as connection:
        states = {each.id: each.state for each in stagings.of_policy(connection, TENANT, first.name)}
    assert states == {old.id: "retired", new.id: "shadow"}
    assert activation_of(sent(store)[5]).ends == [old.id]


def test_the_same_version_may_be_staged_again(store: Store) -> None:
    hash_ = drafted(store).latest.hash
    old = approve(store, submit(store, hash_))
    with change(store, "bob") as made:
        stagings.retire(made, old.id, old.revision, store.signer, "enough")
    again = approve(store, submit(store, hash_))
    assert again.state == "shadow"
    assert again.id != old.id
    assert [activation_of(row).action for row in sent(store) if row.topic == "events"] == ["stage", "end", "stage"]


def test_of_two_who_approve_at_once_exactly_one_does(store: Store) -> None:
    asked = submit(store, drafted(store).latest.hash)
    told = at_once(lambda: _approve(store, asked, "bob"), lambda: _approve(store, asked, "cat"))
    assert sorted(type(each).__name__ for each in told) == ["NoneType", "Stale"]
    assert [row.topic for row in sent(store)] == ["policies", "policies", "events"]


def _approve(store: Store, asked: Staging, who: str) -> None:
    approve(store, asked, who)


def test_who_asked_may_withdraw_and_another_may_decline(store: Store) -> None:
    hash_ = drafted(store).latest.hash
    asked = submit(store, hash_)
    with pytest.raises(Refused, match="the one who asked"), change(store, "bob") as made:
        stagings.withdraw(made, asked.id, asked.revision)
    for who, move in (("ann", stagings.withdraw), ("bob", stagings.decline)):
        asked = submit(store, hash_)
        with change(store, who) as made:
            assert move(made, asked.id, asked.revision).state == "declined"
            assert audit.entries(made.connection, TENANT)[-1].action == move.__name__
    with pytest.raises(Refused, match="possible is nothing"), change(store, "bob") as made:
        stagings.approve(made, asked.id, asked.revision + 1, store.signer)


def test_settings_reach_workers_as_an_activation_with_what_changed(store: Store) -> None:
    tenant(store)
    with change(store, "op") as made:
        after = tenants.set_settings(
            made, Settings(grace_hours=48), one_person=True, revision=1, signer=store.signer, why="late senders"
        )
    (row,) = sent(store)
    found = activation_of(row).settings
    assert found is not None
    assert (found.grace_hours, found.dedupe_hours) == (48, None)
    assert (after.revision, after.one_person) == (2, True)
    with pytest.raises(Stale), change(store, "op") as made:
        tenants.set_settings(made, Settings(), one_person=True, revision=1, signer=store.signer)
