"""The clock may be set back at any moment: the trail keeps its order, what is over stays over, nobody waits for it."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway_shadow.auth import Doorkeeper
from gateway_shadow.problems import Problem
from policy_store import api_keys, audit, outbox
from policy_store.job_queue import LEASE_MS, Lost
from tests.store.conftest import Store
from tests.store.scenes import TENANT, change, drafted, tenant
from tests.store.test_jobs import OUTCOME, claimed, evidence, found, queue, start
from tests.store.test_relay import Log, relay

HOUR_MS = 3_600_000


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@given(moves=st.lists(st.integers(-HOUR_MS, HOUR_MS), min_size=1, max_size=8))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_trail_keeps_its_order_and_stays_whole(store: Store, moves: list[int]) -> None:
    for number, ms in enumerate(moves):
        store.clock.ms += ms
        with change(store) as made:
            made.note("edit", f"policy {number}", None, None)
    with store.database.read() as connection:
        assert audit.verify(connection) == []
        rows = audit.entries(connection, TENANT, most=10_000)[-len(moves) :]
    assert [each.subject for each in rows] == [f"policy {number}" for number in range(len(moves))]


def test_the_outbox_waits_for_no_lease_from_before_the_step(store: Store) -> None:
    with change(store) as made:
        for number in range(3):
            outbox.activate(made, store.signer, action="end", staging=f"stg-{number}")
    log = Log()
    assert relay(store, log, "one").run_once(most=1) == 1
    store.clock.ms -= 1000
    assert relay(store, log, "two").run_once() == 0, "clocks of two machines differ a little"
    store.clock.ms -= HOUR_MS
    assert relay(store, log, "two").run_once() == 2
    assert len(log.sent) == 3


def test_a_job_waits_for_no_lease_from_before_the_step_and_ends_once(store: Store) -> None:
    drafted(store)
    job = start(store)
    first, before = claimed(store, "one"), len(evidence(store, job))
    store.clock.ms -= LEASE_MS // 2
    assert queue(store, "two").claim(is_stored=True) is None
    store.clock.ms -= HOUR_MS
    second = claimed(store, "two")
    assert second.id == job.id
    with pytest.raises(Lost):
        queue(store, "one").done(first, OUTCOME)
    queue(store, "two").done(second, OUTCOME)
    assert found(store, job).state == "done"
    assert len(evidence(store, job)) == before + 1


@pytest.mark.asyncio
async def test_a_key_that_has_expired_stays_so(store: Store) -> None:
    tenant(store)
    with change(store, "root") as now:
        text = api_keys.create(now, "ann", "viewer", store.clock.ms + 1000).text
    keeper = Doorkeeper(store.database, now_ms=store.clock)
    assert (await keeper.caller(text, "a")).person == "ann"
    store.clock.ms += 1000
    for step_ms in (0, -HOUR_MS):
        store.clock.ms += step_ms
        with pytest.raises(Problem) as wrong:
            await keeper.caller(text, "a")
        assert wrong.value.status_code == 401
