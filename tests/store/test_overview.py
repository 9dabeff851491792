"""What those who watch are told of the store: what is live, proven and on, and what waits; in a few statements."""

from policy_store import settling, stagings
from policy_store.overview import FlagSet, Waiting, overview
from tests.store import enforced
from tests.store.conftest import Store
from tests.store.scenes import TENANT, change, drafted


def test_a_staging_is_told_of_with_its_last_round_and_its_certificate(store: Store) -> None:
    staging = enforced.staged(store)
    with store.database.read() as connection:
        (before,) = overview(connection).stagings
    assert (before.tenant, before.policy, before.state) == (TENANT, "marketing-monthly", "shadow")
    assert (before.gate, before.recorded_ms, before.certificate_ends_ms) == (None, None, None)
    recorded, _ = enforced.record(store, staging)
    with store.database.read() as connection:
        (after,) = overview(connection).stagings
    assert (after.state, after.gate, after.differing) == ("reconciled", "ready", 0)
    assert (after.recorded_ms, after.replayed) == (recorded.recorded_ms, recorded.replayed)
    assert after.certificate_ends_ms is not None
    assert after.certificate_ends_ms > store.clock.ms


def test_flags_are_told_of_by_level_and_policy_also_once_they_are_off(store: Store) -> None:
    staging = enforced.enforced(store)
    with store.database.read() as connection:
        flags = overview(connection).flags
    assert {(each.level, each.tenant, each.policy, bool(each.is_on)) for each in flags} == {
        ("global", "(all)", "", True), ("tenant", TENANT, "", True), ("policy", TENANT, "marketing-monthly", True),
    }  # fmt: skip
    store.clock.ms += 5_000
    enforced.turn_off(store, "policy", staging.id)
    with store.database.read() as connection:
        found = overview(connection)
    assert FlagSet("policy", TENANT, "marketing-monthly", False, store.clock.ms, False) in found.flags
    assert [each.state for each in found.stagings] == ["shadow"]


def test_a_flag_that_the_store_itself_puts_out_is_told_of_as_that(store: Store) -> None:
    staging = enforced.enforced(store)
    store.clock.ms += 100 * 86_400_000  # its certificate has run out
    settling.demote_unproven(store.changes, store.signer)
    with store.database.read() as connection:
        found = overview(connection)
    (flag,) = [each for each in found.flags if each.level == "policy"]
    assert (flag.policy, bool(flag.is_on), flag.by_itself) == (staging.policy, False, True)


def test_what_waits_is_counted_since_the_first(store: Store) -> None:
    begun_ms = store.clock.ms
    hash_ = drafted(store).latest.hash
    with change(store, "ann") as made:
        asked = stagings.submit(made, "marketing-monthly", hash_)
    store.clock.ms += 1_000
    with store.database.read() as connection:
        found = overview(connection)
    assert found.submitted == {TENANT: Waiting(1, begun_ms)}
    assert found.reviews == {}
    assert found.outbox == Waiting(0, None)
    begun_ms = store.clock.ms
    with change(store, "bob") as made:
        stagings.approve(made, asked.id, asked.revision, store.signer)
    store.clock.ms += 1_000
    with store.database.read() as connection:
        found = overview(connection)
    assert (found.submitted, found.outbox.since_ms) == ({}, begun_ms)
    assert found.outbox.number > 0
