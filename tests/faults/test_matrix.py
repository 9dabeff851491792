"""A few faults of the matrix on few events: our system comes through, and the obvious design is measured beside it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.faults.arena import Servers
from dev.faults.proxy import Proxy
from dev.faults.registry import FAULTS
from dev.faults.run import run_obvious, run_ours
from dev.kafka_process import KafkaProcess
from dev.redis_process import RedisProcess, preferred_kind

EVENTS, SEED = 1200, 5


@pytest.fixture(scope="module")
def on(new_directory: Callable[[], Path], kafka_libs: tuple[Path, Path]) -> Iterator[Servers]:
    """Servers that the faults of this module may break."""
    libs, java = kafka_libs
    kafka = KafkaProcess(new_directory(), libs=libs, java=java)
    redis = RedisProcess(new_directory(), binary=preferred_kind())
    for server in (kafka, redis):
        server.start()
    for server in (kafka, redis):
        server.wait_ready(90)
    proxy = Proxy(redis.port)
    yield Servers(kafka, redis, proxy, new_directory())
    proxy.close()
    for server in (kafka, redis):
        server.kill()


@pytest.mark.parametrize("name", ["redis_flush", "kafka_duplicate"])
def test_what_a_fault_leaves_is_what_the_log_owes_and_reconciliation_agrees(on: Servers, name: str) -> None:
    score = run_ours(FAULTS[name], SEED, EVENTS, on)
    assert score.is_clean, score.notes
    assert score.decisions > EVENTS * 0.9
    assert (score.cause, score.cause_named, score.overshoot_nano_usd) == ("none", True, 0), score.notes


def test_the_obvious_design_forgets_what_a_flush_has_taken(on: Servers) -> None:
    score = run_obvious(FAULTS["redis_flush"], SEED, EVENTS, on)
    assert score.events_lost == 0
    assert score.counter_error_nano_usd > 0
    assert not score.cause_named
