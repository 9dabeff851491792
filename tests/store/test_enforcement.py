"""Turning on and off: what is refused and by which name, what workers are told, what every process reads."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from policy_store import (
    audit,
    certificates,
    enforcement,
    flags,
    flip_requests,
    outbox,
    policies,
    settling,
    stagings,
    tenants,
    waivers,
)
from policy_store.audit import SYSTEM
from policy_store.errors import Refused
from policy_store.signing import Signer, Verifier, make_key_file, read_key_file
from spendgate.model.announcement import Announcement, read_record
from spendgate.model.enforcement import Share
from spendgate.model.settings import Settings
from tests.store.conftest import Store
from tests.store.enforced import ask, confirm, enforced, levels_on, record, staged, state_of, turn_off
from tests.store.scenes import TENANT, change, policy, source
from tests.store.test_policies import at_once
from tests.store.test_stagings import activation_of, approve, sent, submit

TENTH = Share(by="team", percent=10)


def view(store: Store) -> flags.FlagView:
    with store.database.read() as connection:
        return flags.read_flags(connection)


def refused(store: Store, who: str, request: flip_requests.Request) -> str:
    with pytest.raises(Refused) as told:
        confirm(store, who, request)
    return told.value.code


def test_everything_is_off_until_it_is_turned_on(store: Store) -> None:
    assert view(store) == flags.OFF
    staging = staged(store)
    record(store, staging)
    assert view(store).enforced(TENANT) == ()
    with pytest.raises(Refused, match="the global and the tenant flag to be on first"):
        ask(store, "bob", "policy", staging.id)


def test_what_is_enforced_is_read_with_all_that_an_enforcer_needs(store: Store) -> None:
    staging = enforced(store, TENTH)
    (found,) = view(store).enforced(TENANT)
    assert (found.staging, found.policy, found.hash, found.share) == (staging.id, staging.policy, staging.hash, TENTH)
    assert (found.asked_by, found.confirmed_by, found.since_ms) == ("bob", "cat", store.clock.ms)
    with store.database.read() as connection:
        kept = certificates.require(connection, TENANT, found.certificate_id or "")
        entry = [each for each in audit.entries(connection, TENANT) if each.action == "enforce"][-1]
    assert found.certificate == kept.document
    assert (entry.who, entry.why) == ("cat", "it is time")
    assert '"asked_by": "bob"' in (entry.after or "")
    assert kept.id in (entry.after or "")
    assert "10 % of calls by team" in (entry.after or "")


def test_workers_are_told_of_the_flip_with_its_share_and_of_the_way_back(store: Store) -> None:
    staging = enforced(store, TENTH)
    turn_off(store, "policy", staging.id)
    told = [activation_of(row) for row in sent(store) if row.topic == "events"]
    assert [(each.action, each.staging, each.share) for each in told] == [
        ("stage", staging.id, None), ("enforce", staging.id, TENTH), ("demote", staging.id, None),
    ]  # fmt: skip
    assert all(map(Verifier([store.signer.public]).is_signed, told))
    records = [read_record(row.key, row.value) for row in sent(store) if row.topic == "policies"]
    assert [each.stage for each in records if isinstance(each, Announcement)] == ["shadow", "enforced", "shadow"]


def test_nobody_confirms_what_they_asked_for_and_a_team_of_one_is_no_exception(store: Store) -> None:
    staging = staged(store)
    with change(store, "ann") as made:
        tenants.set_settings(made, Settings(), one_person=True, revision=1, signer=store.signer)
    for level in ("global", "tenant"):
        asked = ask(store, "ann", level)
        assert refused(store, "ann", asked) == "own_request"
        confirm(store, "bob", asked)
    record(store, staging)
    asked = ask(store, "ann", "policy", staging.id)
    assert refused(store, "ann", asked) == "own_request"
    assert refused(store, "Ann", asked) == "own_request", "another spelling is no other person"
    assert view(store).enforced(TENANT) == ()
    confirm(store, "bob", asked)
    assert refused(store, "cat", asked) == "request_confirmed"


def test_after_an_hour_it_has_to_be_asked_for_again(store: Store) -> None:
    staging = staged(store)
    levels_on(store)
    record(store, staging)
    asked = ask(store, "bob", "policy", staging.id)
    with pytest.raises(Refused, match="bob has asked for it"):
        ask(store, "cat", "policy", staging.id)
    store.clock.ms += flip_requests.CONFIRM_WITHIN_MS + 1
    assert refused(store, "cat", asked) == "request_expired"
    with store.database.read() as connection:
        assert flip_requests.listed(connection, TENANT, store.clock.ms)[0].state == "expired"
    again = ask(store, "bob", "policy", staging.id)
    store.clock.ms += flip_requests.CONFIRM_WITHIN_MS
    confirm(store, "cat", again)


def test_what_was_taken_back_cannot_be_confirmed(store: Store) -> None:
    asked = ask(store, "bob", "global")
    with change(store, "dan", SYSTEM) as made:
        enforcement.withdraw(made, asked.id, "not today")
    assert refused(store, "cat", asked) == "request_withdrawn"
    other = ask(store, "bob", "global")
    turn_off(store, "global")
    assert refused(store, "cat", other) == "request_withdrawn"


def test_the_gate_is_looked_at_when_it_is_confirmed(store: Store) -> None:
    staging = staged(store)
    levels_on(store)
    record(store, staging)
    asked = ask(store, "bob", "policy", staging.id)
    record(store, staging, on_demand=True, differing=1)
    assert refused(store, "cat", asked) == "gate_shut"
    record(store, staging)
    store.clock.ms += 3_600_000
    confirm(store, "cat", asked)


def test_a_gate_that_has_grown_old_is_shut(store: Store) -> None:
    staging = staged(store)
    levels_on(store)
    record(store, staging)
    store.clock.ms += 25 * 3_600_000
    with pytest.raises(Refused, match="its gate is observing: since the latest round") as told:
        ask(store, "bob", "policy", staging.id)
    assert told.value.code == "gate_shut"


def test_with_another_key_the_old_certificate_is_refused_by_name_until_a_round_makes_a_new_one(store: Store) -> None:
    staging = staged(store)
    levels_on(store)
    record(store, staging)
    asked = ask(store, "bob", "policy", staging.id)
    store.signer = Signer(Ed25519PrivateKey.generate())
    assert refused(store, "cat", asked) == "certificate_unknown_key"
    record(store, staging)
    confirm(store, "cat", asked)


def test_a_rotated_key_demotes_nothing_and_the_next_round_certifies_by_the_new_one(store: Store) -> None:
    staging, old = enforced(store), store.signer
    key = Ed25519PrivateKey.generate()
    store.signer = Signer(key, [old.public])
    assert settling.demote_unproven(store.changes, store.signer) == []
    _, settled = record(store, state_of(store, staging.id))
    assert settled.certificate is not None
    assert certificates.is_by(settled.certificate, store.signer)
    assert not certificates.is_by(settled.certificate, old)
    # The old public key is of no use any more, and its certificate proves nothing to whoever has forgotten it.
    store.signer = Signer(key)
    assert settling.demote_unproven(store.changes, store.signer) == []
    assert state_of(store, staging.id).state == "enforced"


def test_a_key_that_is_not_the_stores_is_refused_where_the_others_are_given(tmp_path: Path) -> None:
    made = make_key_file(tmp_path / "store.pem")
    other = Signer(Ed25519PrivateKey.generate()).public
    assert read_key_file(tmp_path / "store.pem", [other, made.public]).believed == (made.public, other)
    with pytest.raises(Refused, match="SPENDGATE_STORE_KEYS: expected base64"):
        read_key_file(tmp_path / "store.pem", ["no key"])


def test_off_at_a_level_above_ends_all_beneath_and_on_again_brings_back_nothing(store: Store) -> None:
    staging = enforced(store)
    for level in ("tenant", "global"):
        ended = turn_off(store, level)
        assert view(store).enforced(TENANT) == ()
        assert state_of(store, staging.id).state == "shadow"
        assert ended.flags[0].level == level
        assert turn_off(store, level).flags == ()
        confirm(store, "cat", ask(store, "bob", level))
        assert view(store).enforced(TENANT) == ()
        record(store, staging)
        confirm(store, "cat", ask(store, "bob", "policy", staging.id))
    assert view(store).enforced(TENANT) != ()


def test_the_global_flag_waits_until_what_was_enforced_beneath_it_has_stepped_back(store: Store) -> None:
    enforced(store)
    with change(store, "dan", SYSTEM) as made:
        enforcement.off(made, "global", None, "stop", store.signer)
    assert view(store).enforced(TENANT) == ()
    asked = ask(store, "bob", "global")
    assert refused(store, "cat", asked) == "not_finished"
    assert len(enforcement.finish_off(store.changes, "dan", "stop", store.signer)) == 1
    confirm(store, "cat", asked)
    assert view(store).enforced(TENANT) == ()


def test_that_a_first_lease_was_granted_stays_though_it_was_noted_in_the_midst_of_a_change(store: Store) -> None:
    staging = enforced(store)
    with change(store, "bob") as made:
        as_read = flags.get(made.connection, "policy", staging.id, TENANT)
        flags.note_begun(made.connection, [staging.id], store.clock.ms)
        flags.renew(made, as_read, as_read.certificate or "")
        flags.put(made, as_read._replace(revision=as_read.revision + 1, share=TENTH))
    (found,) = view(store).enforced(TENANT)
    assert (found.begun_ms, found.share) == (store.clock.ms, TENTH)
    turn_off(store, "policy", staging.id)
    with store.database.read() as connection:
        assert flags.get(connection, "policy", staging.id, TENANT).begun_ms is None


def test_what_is_enforced_for_some_may_be_for_others_by_the_same_way(store: Store) -> None:
    staging = enforced(store, TENTH)
    with pytest.raises(Refused, match="for 10 % of calls by team already"):
        ask(store, "bob", "policy", staging.id, TENTH)
    asked = ask(store, "bob", "policy", staging.id)
    assert refused(store, "bob", asked) == "own_request"
    confirm(store, "cat", asked)
    assert [each.share for each in view(store).enforced(TENANT)] == [None]
    assert state_of(store, staging.id).state == "enforced"


def test_what_was_proven_before_it_stepped_back_proves_nothing_afterwards(store: Store) -> None:
    staging = enforced(store)
    turn_off(store, "policy", staging.id)
    with change(store, "op") as made:
        waivers.give(made, state_of(store, staging.id), "bill", "a flat fee")
        settled = settling.settle(made, state_of(store, staging.id), store.signer)
    assert settled.staging.state == "shadow"
    assert settled.gate is not None
    assert settled.gate.round is None
    assert record(store, staging)[1].staging.state == "reconciled"


def second(store: Store) -> stagings.Staging:
    """A second version, beside the first, in shadow."""
    with change(store, "ann") as made:
        edited = policies.edit(made, policy("600"), source("600"), 1)
    return approve(store, submit(store, edited.latest.hash, waiver="small"))


def test_a_new_version_that_is_enforced_ends_the_old_one_in_the_same_record_and_for_a_share_does_not(
    store: Store,
) -> None:
    old = enforced(store)
    new = second(store)
    assert state_of(store, old.id).state == "enforced"
    record(store, new)
    confirm(store, "cat", ask(store, "bob", "policy", new.id, TENTH))
    assert {each.staging for each in view(store).enforced(TENANT)} == {old.id, new.id}
    confirm(store, "cat", ask(store, "bob", "policy", new.id))
    assert {each.staging for each in view(store).enforced(TENANT)} == {new.id}
    assert state_of(store, old.id).state == "retired"
    assert activation_of([row for row in sent(store) if row.topic == "events"][-1]).ends == [old.id]


def test_what_is_retired_is_no_longer_enforced(store: Store) -> None:
    staging = enforced(store)
    with change(store, "bob") as made:
        stagings.retire(made, staging.id, staging.revision, store.signer, "over")
    assert view(store).stagings == {}


def test_a_certificate_that_no_longer_holds_demotes_by_itself(store: Store) -> None:
    staging = enforced(store)
    assert settling.demote_unproven(store.changes, store.signer) == []
    store.clock.ms += 8 * 86_400_000
    (made,) = settling.demote_unproven(store.changes, store.signer)
    assert (made.id, made.state) == (staging.id, "shadow")
    with store.database.read() as connection:
        entry = audit.entries(connection, TENANT)[-1]
    assert (entry.action, entry.who) == ("demote", "spendgate")
    assert "certificate" in (entry.why or "")
    assert settling.demote_unproven(store.changes, store.signer) == []


def test_settings_are_part_of_what_was_proven(store: Store) -> None:
    enforced(store)
    with change(store, "op") as made:
        tenants.set_settings(made, Settings(grace_hours=1), one_person=False, revision=1, signer=store.signer)
    assert [each.state for each in settling.demote_unproven(store.changes, store.signer)] == ["shadow"]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE flags SET share = '{\"by\": \"nothing\"}' WHERE level = 'policy'",
        "UPDATE flags SET share = 'x' WHERE level = 'policy'",
        "UPDATE flags SET subject = 'stg-other' WHERE level = 'policy'",
        "UPDATE flags SET tenant = 'other' WHERE level = 'policy'",
        "UPDATE flags SET tenant = 'other' WHERE level = 'tenant'",
        "UPDATE flags SET subject = 'other' WHERE level = 'tenant'",
        "UPDATE flags SET subject = 'other' WHERE level = 'global'",
        "UPDATE flags SET level = 'planet' WHERE level = 'global'",
        "UPDATE stagings SET state = 'unknown'",
        "DELETE FROM flags WHERE level = 'tenant'",
    ],
)
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_flag_that_cannot_be_read_is_off(store: Store, damage: str) -> None:
    enforced(store)
    with store.database.begin() as connection:
        connection.execute(text(damage))
    assert view(store).enforced(TENANT) == ()


def test_of_two_who_confirm_at_once_exactly_one_does(store: Store) -> None:
    staging = staged(store)
    levels_on(store)
    record(store, staging)
    asked = ask(store, "bob", "policy", staging.id)
    told = at_once(lambda: _confirm(store, "cat", asked), lambda: _confirm(store, "dan", asked))
    assert sorted(type(each).__name__ for each in told) == ["NoneType", "Refused"]
    assert [activation_of(row).action for row in sent(store) if row.topic == "events"] == ["stage", "enforce"]


def _confirm(store: Store, who: str, asked: flip_requests.Request) -> None:
    confirm(store, who, asked)


def test_nothing_is_written_of_a_flip_that_is_refused(store: Store) -> None:
    staging = staged(store)
    levels_on(store)
    before = (view(store), state_of(store, staging.id), len(sent(store)))
    with pytest.raises(Refused):
        ask(store, "bob", "policy", staging.id)
    with store.database.begin() as connection:
        assert (view(store), state_of(store, staging.id), len(outbox.waiting(connection))) == before
