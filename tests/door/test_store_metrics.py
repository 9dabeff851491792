"""What a door tells Prometheus of the policy store: fresh, the same from every door, and nothing of a store that is
away."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_shadow.store_metrics import EVERY, StoreMetrics, every_s_from_environment
from policy_store.database import Database
from policy_store.migrate import migrate
from tests.store import enforced
from tests.store.conftest import Store
from tests.store.scenes import TENANT

POLICY = "marketing-monthly"
Told = dict[tuple[str, ...], float]
"""By name and the values of its labels."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    database = Database(url)
    migrate(database)
    yield Store(database, url)
    database.close()


def told(metrics: StoreMetrics) -> Told:
    return {
        (sample.name.removeprefix("spendgate_"), *sample.labels.values()): sample.value
        for family in metrics.collect()
        for sample in family.samples
    }


def test_what_is_enforced_is_told_of_with_its_flags_its_gate_and_its_certificate(store: Store) -> None:
    metrics = StoreMetrics(store.database, clock=lambda: store.clock.ms / 1000)
    enforced.enforced(store)
    metrics.look()
    found = told(metrics)
    assert found["policy_store_up",] == 1
    assert found["staging_state", TENANT, POLICY, "enforced"] == 1
    assert [found["gate_state", TENANT, POLICY, "enforced", state] for state in ("blocked", "observing", "ready")] == [
        0, 0, 1,
    ]  # fmt: skip
    assert [found["flag_on", *each] for each in (("global", "(all)", ""), ("tenant", TENANT, ""),
                                                 ("policy", TENANT, POLICY))] == [1, 1, 1]  # fmt: skip
    assert found["certificate_expiry_timestamp_seconds", TENANT, POLICY, "enforced"] > store.clock.ms / 1000
    assert not [place for place in found if place[0] == "demoted_timestamp_seconds"]


def test_of_a_store_that_is_away_no_number_is_told_and_of_one_that_is_back_all_are(
    store: Store, tmp_path: Path
) -> None:
    metrics = StoreMetrics(Database(f"sqlite:///{tmp_path / 'other.db'}"))
    enforced.staged(store)
    metrics.look()
    assert told(metrics) == {("policy_store_up",): 0}
    migrate(metrics.database)
    metrics.look()
    assert told(metrics)["policy_store_up",] == 1
    assert len(told(metrics)) > 1
    metrics.database.close()


def test_how_long_something_waits_is_told_by_now_and_not_by_the_reading(store: Store) -> None:
    metrics = StoreMetrics(store.database, clock=lambda: store.clock.ms / 1000)
    enforced.staged(store)
    metrics.look()
    store.clock.ms += 7_000
    assert told(metrics)["outbox_oldest_seconds",] == 7
    assert told(metrics)["outbox_waiting_messages",] > 0


@pytest.mark.parametrize("said", ["0", "-1", "soon", "nan", "3601"], ids=["zero", "negative", "word", "nan", "long"])
def test_a_pace_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv(EVERY, said)
    with pytest.raises(ValueError, match=f"{EVERY}: expected seconds"):
        every_s_from_environment()
