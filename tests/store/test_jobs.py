"""Jobs are held by one process at a time and end once, whatever dies, whoever cancels, and wherever the clock goes."""

import hashlib
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy_store import audit, jobs, policies, simulations
from policy_store.errors import NotFound, Refused
from policy_store.job_queue import LEASE_MS, MOST_TRIES, Lost, Outcome, Queue
from policy_store.jobs import Job
from tests.store.conftest import Store
from tests.store.scenes import FULL, TENANT, change, drafted, policy, tenant
from tests.store.test_policies import at_once

REPORT = b'{"report":"spendgate.simulation/v1"}'
OUTCOME = Outcome(FULL._replace(report_sha256=hashlib.sha256(REPORT).hexdigest()), REPORT)


def queue(store: Store, holder: str = "one") -> Queue:
    return Queue(store.changes, holder)


def start(
    store: Store, options: str = jobs.WHOLE, *, cap: str = "500", is_stored: bool = True, of: str = TENANT
) -> Job:
    with change(store, "ann", of) as made:
        return jobs.start(made, policy(cap), options, is_stored=is_stored)


def found(store: Store, job: Job, of: str = TENANT) -> Job:
    with store.database.read() as connection:
        return jobs.require(connection, of, job.id)


def claimed(store: Store, holder: str = "one", *, is_stored: bool = True) -> Job:
    job = queue(store, holder).claim(is_stored=is_stored)
    assert job is not None
    return job


def evidence(store: Store, job: Job) -> list[str]:
    with store.database.read() as connection:
        return [each.id for each in simulations.of(connection, TENANT, job.policy, job.hash)]


def test_a_job_runs_and_ends_with_its_report_and_is_evidence(store: Store) -> None:
    version = drafted(store, simulated=False).latest
    job = start(store)
    assert (job.state, job.hash, job.counts) == ("queued", version.hash, True)
    running = claimed(store)
    assert (running.id, running.state, running.tries) == (job.id, "running", 1)
    queue(store).renew(running, 10, rows_total=40, ledger_version=7)
    queue(store).done(running, OUTCOME)
    ended = found(store, job)
    assert (ended.state, ended.ledger_version, ended.report_sha256) == ("done", 7, OUTCOME.found.report_sha256)
    with store.database.read() as connection:
        assert jobs.report(connection, TENANT, job.id) == REPORT
        assert policies.require_version(connection, TENANT, job.policy, job.hash).state == "simulated"
        assert [each.action for each in audit.entries(connection, TENANT)][-2:] == ["start_simulation", "simulate"]
    assert evidence(store, job) == [ended.simulation]


@pytest.mark.parametrize(("options", "is_stored"), [('{"from":"2026-01-01T00:00:00Z"}', True), ("{}", False)])
def test_only_a_stored_version_over_the_whole_history_is_evidence(store: Store, options: str, is_stored: bool) -> None:
    drafted(store, simulated=False)
    job = start(store, options, is_stored=is_stored)
    queue(store).done(claimed(store, is_stored=is_stored), OUTCOME)
    assert found(store, job).state == "done"
    assert evidence(store, job) == []
    with store.database.read() as connection:
        assert policies.require_version(connection, TENANT, job.policy, job.hash).state == "draft"


def test_a_job_is_held_by_one_and_taken_over_when_its_holder_has_gone(store: Store) -> None:
    drafted(store)
    job = start(store)
    first = claimed(store, "one")
    assert queue(store, "two").claim(is_stored=True) is None
    store.clock.ms += LEASE_MS - 1
    queue(store, "one").renew(first)
    store.clock.ms += LEASE_MS - 1
    assert queue(store, "two").claim(is_stored=True) is None, "it says that it runs on"
    store.clock.ms += 1
    second = claimed(store, "two")
    assert (second.id, second.tries) == (job.id, 2)
    with pytest.raises(Lost):
        queue(store, "one").done(first, OUTCOME)
    with pytest.raises(Lost):
        queue(store, "one").renew(first)
    before = len(evidence(store, job))
    queue(store, "two").done(second, OUTCOME)
    assert len(evidence(store, job)) == before + 1
    with pytest.raises(Lost):
        queue(store, "two").done(second, OUTCOME)


def take(queue: Queue, taken: list[Job | None]) -> None:
    taken.append(queue.claim(is_stored=True))


def test_two_processes_never_take_the_same_job(store: Store) -> None:
    drafted(store)
    start(store)
    told = [queue(store, name) for name in ("one", "two")]
    taken: list[Job | None] = []
    assert at_once(*(partial(take, each, taken) for each in told)) == [None, None]
    assert sum(each is not None for each in taken) == 1


def test_a_job_whose_process_dies_every_time_fails_in_the_end(store: Store) -> None:
    drafted(store)
    job = start(store)
    for _ in range(MOST_TRIES):
        assert found(store, job).state == "queued"
        queue(store).died(claimed(store))
    assert found(store, job).state == "failed"
    assert "memory" in (found(store, job).problem or "")
    other = start(store)
    for _ in range(MOST_TRIES):
        claimed(store)
        store.clock.ms += LEASE_MS
    assert queue(store).claim(is_stored=True) is None
    assert found(store, other).state == "failed"


def test_a_stop_puts_a_job_back_and_does_not_count(store: Store) -> None:
    drafted(store)
    job = start(store)
    for _ in range(MOST_TRIES + 2):
        queue(store).release(claimed(store))
    assert (found(store, job).state, found(store, job).tries) == ("queued", 0)


def test_what_is_cancelled_ends_at_once_and_its_holder_cannot_end_it_otherwise(store: Store) -> None:
    drafted(store, simulated=False)
    waits, runs = start(store), start(store, cap="600")
    running = claimed(store)
    assert running.id == waits.id
    for each in (waits, runs, waits):
        with change(store, "bob") as made:
            assert jobs.cancel(made, each.id).state == "cancelled"
    with pytest.raises(Lost):
        queue(store).done(running, OUTCOME)
    with pytest.raises(Lost):
        queue(store).failed(running, "x")
    assert evidence(store, running) == []
    assert found(store, waits).ended_by == "bob"
    done = start(store)
    queue(store).done(claimed(store), OUTCOME)
    with pytest.raises(Refused, match="this one is done"), change(store) as made:
        jobs.cancel(made, done.id)


def test_a_tenant_runs_one_in_each_lane_and_tenants_take_turns(store: Store) -> None:
    drafted(store)
    tenant(store, "other")
    for _ in range(3):
        start(store)
    theirs, trying = start(store, of="other"), start(store, is_stored=False)
    first = claimed(store)
    assert claimed(store).id == theirs.id
    assert queue(store).claim(is_stored=True) is None
    assert claimed(store, is_stored=False).id == trying.id, "trying out does not wait for a long one"
    store.clock.ms += 1
    queue(store).done(first, OUTCOME)
    assert claimed(store).tenant == TENANT


def test_the_newest_results_are_kept_and_others_of_the_tenant_alone_are_let_go(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "KEPT", {True: 2, False: 1})
    drafted(store)
    tenant(store, "other")
    theirs = start(store, '{"lint":true}', of="other")
    queue(store).done(claimed(store), OUTCOME)
    made = []
    for _ in range(4):
        made.append(start(store))
        store.clock.ms -= 1000  # the newest is by order, not by a clock that steps back
        queue(store).done(claimed(store), OUTCOME)
    last = start(store)
    with store.database.read() as connection:
        assert [each.id for each in jobs.listed(connection, TENANT)] == [last.id, made[3].id, made[2].id]
        older = jobs.listed(connection, TENANT, before=last.id, most=1)
        assert [each.id for each in older] == [made[3].id]
        with pytest.raises(NotFound):
            jobs.require(connection, TENANT, made[0].id)
        with pytest.raises(NotFound):
            jobs.require(connection, TENANT, theirs.id)


def test_too_many_that_wait_are_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MOST_QUEUED", 2)
    drafted(store)
    for _ in range(2):
        start(store)
    with pytest.raises(Refused, match="at most 2"):
        start(store)
    start(store, is_stored=False)


STEPS = st.lists(
    st.sampled_from(["claim-one", "claim-two", "renew", "died", "done", "cancel", "forward", "back", "start"]),
    max_size=25,
)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@given(steps=STEPS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_order_of_faults_doubles_or_loses_a_job(store: Store, steps: list[str]) -> None:
    """Whatever happens in whatever order: each job that is done was recorded once, and each other one can still end."""
    with store.database.read() as connection:
        is_new = not policies.listed(connection, TENANT)
    if is_new:
        drafted(store, simulated=False)
    mine: list[Job] = [start(store, cap="500")]
    held: list[tuple[str, Job]] = []
    for step in steps:
        step_taken(store, step, mine, held)
    for _ in range(2 * MOST_TRIES * len(mine)):
        store.clock.ms += LEASE_MS
        if (job := queue(store, "last").claim(is_stored=True)) is not None:
            queue(store, "last").done(job, OUTCOME)
    ended = [found(store, each) for each in mine]
    assert {each.state for each in ended} <= {"done", "failed", "cancelled"}
    done = [each.simulation for each in ended if each.state == "done"]
    assert len(set(done)) == len(done)
    assert set(done) <= set(evidence(store, mine[0]))
    assert all((each.simulation is not None) == (each.state == "done") for each in ended)


def step_taken(store: Store, step: str, mine: list[Job], held: list[tuple[str, Job]]) -> None:
    match step:
        case "start":
            mine.append(start(store))
        case "claim-one" | "claim-two":
            job = queue(store, step).claim(is_stored=True)
            held += [] if job is None else [(step, job)]
        case "forward" | "back":
            store.clock.ms += LEASE_MS if step == "forward" else -3_600_000
        case "cancel":
            with change(store, "bob") as made:
                jobs.cancel(made, mine[-1].id) if found(store, mine[-1]).state in ("queued", "running") else None
        case _ if held:
            holder, job = held[-1]
            acts = {"renew": queue(store, holder).renew, "died": queue(store, holder).died}
            try:
                acts[step](job) if step in acts else queue(store, holder).done(job, OUTCOME)
            except Lost:
                held.pop()


def test_a_report_is_only_of_what_is_done(store: Store) -> None:
    drafted(store)
    job = start(store)
    with store.database.read() as connection, pytest.raises(Refused, match="this one is queued"):
        jobs.report(connection, TENANT, job.id)
    queue(store).failed(claimed(store), "no ledger")
    with store.database.read() as connection, pytest.raises(Refused, match="this one is failed"):
        jobs.report(connection, TENANT, job.id)
