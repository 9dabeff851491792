"""What follows from a reconciliation: proven with a certificate, doubted, renewed, demoted; and what is kept of it."""

from typing import Any

import pytest

from policy_store import alerts, audit, certificates, flags, gates, reconciliations, settling, waivers
from policy_store.certificates import Kept
from policy_store.errors import Exists, NotFound, Refused, Stale
from policy_store.stagings import Staging
from spendgate.model.reconciliation import decode_reconciliation
from spendgate.reconcile import certificate
from spendgate.reconcile.certificate import Certificate
from spendgate.reconcile.gate_rules import GateRules
from tests.reconcile.results import counters
from tests.store.conftest import Store
from tests.store.enforced import ask, confirm, enforced, levels_on, record, result_of, staged, state_of
from tests.store.scenes import TENANT, change, tenant

HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def kept(store: Store, staging: Staging) -> Kept | None:
    with store.database.read() as connection:
        return certificates.latest(connection, TENANT, staging.id)


def read(found: Kept | None) -> Certificate:
    assert found is not None
    made = certificate.read(found.document)
    assert isinstance(made, Certificate)
    return made


def actions(store: Store) -> list[str]:
    with store.database.read() as connection:
        return [each.action for each in audit.entries(connection, TENANT)]


def test_a_round_that_opens_the_gate_makes_it_reconciled_with_a_certificate(store: Store) -> None:
    staging = staged(store)
    made, settled = record(store, staging)
    assert (settled.staging.state, made.gate, made.outcome) == ("reconciled", "ready", "pass")
    found = read(kept(store, staging))
    assert (found.staging, found.hash, found.reconciliation, found.reconciliation_sha256) == (
        staging.id, staging.hash, made.id, made.sha256,
    )  # fmt: skip
    assert actions(store)[-2:] == ["reconcile", "certify"]
    with store.database.read() as connection:
        looked = gates.look(connection, settled.staging, store.clock.ms)
        assert certificates.problem_of(certificates.require(connection, TENANT, found.id), store.signer,
                                       looked.subject, store.clock.ms) is None  # fmt: skip


@pytest.mark.parametrize("measured", [{"near_cap": 0}, {"differing": 1}, {"counters": None}])
def test_a_round_that_does_not_leaves_it_in_shadow_or_brings_it_back_there(
    store: Store, measured: dict[str, Any]
) -> None:
    staging = staged(store)
    assert record(store, staging, **measured)[1].staging.state == "shadow"
    assert kept(store, staging) is None
    record(store, staging)
    assert record(store, staging, **measured)[1].staging.state == "shadow"
    assert actions(store)[-1] == "doubt"
    assert record(store, staging)[1].staging.state == "reconciled"


def test_a_certificate_is_made_anew_once_half_its_time_is_over_or_something_it_names_has_changed(store: Store) -> None:
    staging = staged(store)
    record(store, staging)
    first = kept(store, staging)
    for _ in range(3):
        store.clock.ms += DAY_MS
        record(store, staging)
        assert kept(store, staging) == first
    store.clock.ms += DAY_MS
    record(store, staging)
    second = kept(store, staging)
    assert first is not None
    assert second is not None
    assert second.issued_ms == first.issued_ms + 4 * DAY_MS
    with change(store, "op") as made:
        gates.set_rules(made, GateRules(certificate_days=20), 0, "we look once a fortnight")
        settling.settle_all(made, store.signer)
    assert read(kept(store, staging)).rules["certificate_days"] == 20
    with change(store, "op") as made:
        waivers.give(made, state_of(store, staging.id), "bill", "a flat fee")
        settling.settle_all(made, store.signer)
    assert {each.waiver for each in read(kept(store, staging)).criteria if each.name == "bill"} == {"a flat fee"}


def test_what_is_enforced_stands_on_the_new_certificate_and_since_when_it_is_does_not_change(store: Store) -> None:
    staging = enforced(store)
    with store.database.read() as connection:
        before = flags.read_flags(connection).enforced(TENANT)
    store.clock.ms += 5 * DAY_MS
    _, settled = record(store, staging)
    with store.database.read() as connection:
        (after,) = flags.read_flags(connection).enforced(TENANT)
    assert settled.certificate is not None
    assert (after.certificate_id, after.certificate) == (settled.certificate.id, settled.certificate.document)
    assert after._replace(certificate_id="", certificate=b"") == before[0]._replace(certificate_id="", certificate=b"")


@pytest.mark.parametrize("on_demand", [False, True])
@pytest.mark.parametrize("fault", [{"differing": 1}, {"counters": counters(1)}])
def test_a_fault_demotes_what_is_enforced_says_why_and_the_gate_is_needed_again(
    store: Store, on_demand: bool, fault: dict[str, Any]
) -> None:
    staging = enforced(store)
    _, settled = record(store, staging, on_demand=on_demand, **fault)
    assert settled.staging.state == "shadow"
    with store.database.read() as connection:
        assert flags.read_flags(connection).enforced(TENANT) == ()
        entry = audit.entries(connection, TENANT)[-1]
        looked = gates.look(connection, settled.staging, store.clock.ms)
    assert (entry.action, entry.who) == ("demote", "spendgate")
    assert entry.why is not None
    assert "asked for" in entry.why
    assert looked.gate.state == "blocked"
    assert record(store, staging)[1].staging.state == "reconciled"


def test_whoever_wants_to_know_is_told_of_what_was_lost_and_what_stepped_back(store: Store) -> None:
    staging = staged(store)
    record(store, staging)
    record(store, staging, near_cap=0)
    record(store, staging)
    levels_on(store)
    confirm(store, "cat", ask(store, "bob", "policy", staging.id))
    record(store, staging, differing=1)
    with store.database.read() as connection:
        told = alerts.listed(connection, TENANT)
    assert sorted((each.kind, each.staging) for each in told) == [
        ("enforcement_demoted", staging.id), ("gate_lost", staging.id),
    ]  # fmt: skip
    assert all("asked for: at" in each.words for each in told)


def test_what_is_merely_not_known_demotes_nothing_and_the_certificate_stays_as_it_is(store: Store) -> None:
    staging = enforced(store)
    first = kept(store, staging)
    store.clock.ms += 5 * DAY_MS
    assert record(store, staging, looked=3)[1].staging.state == "enforced"
    assert kept(store, staging) == first


def test_rounds_of_a_day_that_come_to_the_same_are_kept_once_and_what_a_certificate_rests_on_stays(
    store: Store,
) -> None:
    staging = staged(store)
    first = record(store, staging)[0]
    for _ in range(3):
        store.clock.ms += HOUR_MS // 4
        record(store, staging)
    bad = record(store, staging, differing=1)[0]
    last = record(store, staging)[0]
    with store.database.read() as connection:
        found = reconciliations.listed(connection, TENANT, policy="marketing-monthly")
        assert [each.outcome for each in found] == ["pass", "fail", "pass", "pass"]
        assert (found[0], found[1], found[-1]) == (last, bad, first)
        assert reconciliations.listed(connection, TENANT, before=bad.number, most=1) == [found[2]]
        assert reconciliations.listed(connection, TENANT, staging="stg-none") == []
        row, document = reconciliations.require(connection, TENANT, bad.id)
    assert row == bad
    assert decode_reconciliation(document) == result_of(store, staging, differing=1)


def test_a_result_of_another_tenant_or_of_no_single_staging_is_refused(store: Store) -> None:
    staging = staged(store)
    tenant(store, "other")
    result = result_of(store, staging)
    with pytest.raises(Refused, match="single staging of this tenant"), change(store, "spendgate", "other") as made:
        reconciliations.record(made, result, store.signer)
    with pytest.raises(NotFound), change(store, "spendgate", "other") as made:
        reconciliations.require(made.connection, "other", "rec-1")


def test_criteria_are_changed_by_whoever_has_read_them_within_limits_and_the_trail_says_what(store: Store) -> None:
    tenant(store)
    with change(store, "op") as made:
        assert gates.rules_of(made.connection, TENANT).rules == GateRules()
        after = gates.set_rules(made, GateRules(events=5000), 0, "more traffic")
        assert (after.revision, after.changed_by) == (1, "op")
        assert gates.rules_of(made.connection, TENANT) == after
        assert gates.set_rules(made, GateRules(events=5000), 1, "the same") == after
    with pytest.raises(Stale), change(store, "op") as made:
        gates.set_rules(made, GateRules(), 0, "back")
    with store.database.read() as connection:
        entry = audit.entries(connection, TENANT)[-1]
    assert (entry.before, entry.after, entry.why) == ('{"events": 1000}', '{"events": 5000}', "more traffic")


def test_other_criteria_close_the_gate_until_it_was_measured_against_them(store: Store) -> None:
    staging = staged(store)
    record(store, staging)
    with change(store, "op") as made:
        gates.set_rules(made, GateRules(near_cap_percent=5), 0, "stricter")
        settling.settle_all(made, store.signer)
    assert state_of(store, staging.id).state == "shadow"
    assert record(store, staging)[1].staging.state == "reconciled"


def test_a_waiver_opens_the_gate_and_taken_back_it_is_shut_again(store: Store) -> None:
    staging = staged(store)
    assert record(store, staging, bill=None)[1].staging.state == "shadow"
    with change(store, "op") as made:
        given = waivers.give(made, staging, "bill", "a flat fee")
        assert settling.settle(made, staging, store.signer).staging.state == "reconciled"
    with pytest.raises(Exists), change(store, "op") as made:
        waivers.give(made, staging, "bill", "again")
    with pytest.raises(Refused, match="bill, answers"), change(store, "op") as made:
        waivers.give(made, staging, "differences", "never mind")
    with change(store, "op") as made:
        waivers.take_back(made, given.id, "they bill now")
        assert settling.settle(made, state_of(store, staging.id), store.signer).staging.state == "shadow"
    with pytest.raises(Refused, match="already"), change(store, "op") as made:
        waivers.take_back(made, given.id)
    with store.database.read() as connection:
        (found,) = waivers.of(connection, TENANT, staging.id)
    assert (found.made_by, found.ended_by) == ("op", "op")
    assert actions(store)[-3:] == ["certify", "unwaive", "doubt"]
