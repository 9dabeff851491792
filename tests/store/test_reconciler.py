"""The reconciliation agent over a store: one at a time, and what one staging does hurts no other. Its rounds over a
real ledger run in ``tests/enforcing`` and ``tests/live``."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from agents import reconciliation
from agents.reconciliation import Reconciler
from policy_store import asked_rounds
from policy_store.stagings import Staging
from spendgate.failure import Failure
from tests.store.conftest import Store
from tests.store.enforced import enforced, staged
from tests.store.scenes import TENANT, change

pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


class Rounds(Reconciler):
    """One that notes whom it reconciles, and does ``then`` instead."""

    done: list[str]
    then: Callable[[Staging], None]

    def reconcile(self, staging: Staging, asked: Any = None) -> Any:
        self.done.append(staging.id)
        self.then(staging)


def rounds(store: Store, holder: str, then: Callable[[Staging], None] = lambda _: None) -> Rounds:
    made = Rounds(store.changes, store.signer, "nowhere", lambda _: None, dict, holder)  # type: ignore[arg-type, return-value]
    made.done, made.then = [], then
    return made


def run_once(reconciler: Reconciler) -> None:
    """Have it look once, and stop."""

    class Once(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            was = self.is_set()
            self.set()
            return was

    reconciler.run(Once())


def test_an_agent_that_stops_leaves_its_work_to_the_next_one_at_once(store: Store) -> None:
    staging = staged(store)
    first, second = rounds(store, "one"), rounds(store, "two")
    first.look()
    second.look()
    assert (first.done, second.done) == ([staging.id], [])
    run_once(first)
    second.look()
    assert second.done == [staging.id]


@pytest.mark.parametrize("error", [Failure("Redis does not answer"), TypeError("the-patient-said"), KeyError("x")],
                         ids=lambda each: type(each).__name__)  # fmt: skip
def test_a_staging_that_cannot_be_reconciled_keeps_no_other_from_it(
    store: Store, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    staging = staged(store)

    def fails(_: Staging) -> None:
        raise error

    reconciler = rounds(store, "one", fails)
    assert reconciler.round([staging] * 3)
    assert len(reconciler.done) == 3
    assert "patient" not in caplog.text


def test_counters_that_cannot_be_compared_keep_no_other_tenants_from_it(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    enforced(store)

    def fails(_: str) -> Any:
        raise TypeError("the-patient-said")

    reconciler = rounds(store, "one")
    reconciler.counters = fails
    reconciler._look_at_counters()
    assert "counters cannot be compared: a fault of ours (TypeError)" in caplog.text
    assert "patient" not in caplog.text


def test_a_round_that_was_asked_for_says_what_kept_it_and_quotes_nothing(store: Store) -> None:
    staging = staged(store)
    with change(store, "dan") as made:
        asked_rounds.ask(made, staging)

    def fails(_: Staging) -> None:
        raise TypeError("the-patient-said")

    rounds(store, "one", fails).look()
    with store.database.read() as connection:
        (found,) = asked_rounds.listed(connection, TENANT, staging.id)
    assert (found.state, found.problem) == ("failed", "a fault of ours (TypeError)")


def test_a_round_ends_where_another_agent_has_taken_over(store: Store) -> None:
    staging = staged(store)
    other = rounds(store, "two")

    def takes_long(_: Staging) -> None:
        store.clock.ms += 3_600_000
        other.look()

    reconciler = rounds(store, "one", takes_long)
    assert not reconciler.round([staging] * 3)
    assert (len(reconciler.done), len(other.done)) == (1, 1)


def test_a_round_of_many_stagings_keeps_its_lease_however_long_it_takes(store: Store) -> None:
    staging = staged(store)
    other = rounds(store, "two")

    def takes_its_time(_: Staging) -> None:
        store.clock.ms += int(reconciliation.Pace().round_s * 1000)
        other.look()

    reconciler = rounds(store, "one", takes_its_time)
    assert reconciler.round([staging] * 5)
    assert other.done == []
