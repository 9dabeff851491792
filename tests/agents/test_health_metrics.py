"""What ``/health/ready`` says is told to Prometheus in numbers."""

import math

from prometheus_client import REGISTRY

from agents import health_metrics
from agents.health import DEPENDENCIES, Health


def value(name: str, **labels: str) -> float:
    found = REGISTRY.get_sample_value(f"spendgate_{name}", labels)
    assert found is not None
    return found


def test_partitions_that_wait_are_told_by_what_they_wait_for_until_they_have_recovered() -> None:
    now = [0.0]
    health = Health(lambda: now[0])
    health.assigned(frozenset({0, 1, 2}))
    health.lag = 7
    health_metrics.tell(health)
    assert (value("ready"), value("partitions"), value("lag_messages")) == (1, 3, 7)
    assert [value("waiting_partitions", dependency=each) for each in DEPENDENCIES] == [0, 0, 0, 0]
    health.retrying(0, "store")
    health.saw("broker", reachable=False)
    health_metrics.tell(health)
    assert [value("away", dependency=each) for each in DEPENDENCIES] == [1, 1, 0, 0]
    health.saw("broker", reachable=True)
    now[0] = 5.0
    health.retrying(1, "store")
    health.retrying(2, "broker")
    health_metrics.tell(health)
    assert [value("waiting_partitions", dependency=each) for each in DEPENDENCIES] == [2, 1, 0, 0]
    assert (value("ready"), value("longest_wait_seconds")) == (0, 5)
    for partition in range(3):
        health.recovered(partition)
    health_metrics.tell(health)
    assert [value("waiting_partitions", dependency=each) for each in DEPENDENCIES] == [0, 0, 0, 0]
    assert (value("ready"), value("longest_wait_seconds")) == (1, 0)


def test_where_no_broker_says_how_much_waits_there_is_no_number() -> None:
    health = Health()
    health_metrics.tell(health)
    assert math.isnan(value("lag_messages"))
    assert value("ready") == 0
