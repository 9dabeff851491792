"""A real Prometheus over everything, under load: each question of the dashboards has an answer, and each alert fires
under its fault and goes out again. The rules are those of ``prometheus/rules``, with short times (``watched.scaled``).
"""

import os
import re
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from redis import Redis

from dev.kafka_process import KafkaProcess
from dev.redis_process import RedisProcess, preferred_kind
from peers.watched import ROOT, Watched, begin, metrics_in, questions
from policy_store import policies, stagings
from tests.door.conftest import TENANT
from tests.door.proven import record
from tests.live.samples import budget, policy
from tests.live.waiting import until
from tests.stack import kafka_libs, new_directory, run_directory

__all__ = ["kafka_libs", "new_directory", "run_directory"]

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def watched(
    new_directory: Callable[[], Path], kafka_libs: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    libs, java = kafka_libs
    redis, kafka = RedisProcess(new_directory(), binary=preferred_kind()), KafkaProcess(
        new_directory(), libs=libs, java=java
    )  # fmt: skip
    os.environ["SPENDGATE_METRICS_S"] = "1"
    try:
        for server in (redis, kafka):
            server.start()
            server.wait_ready(300)
        yield from begin(tmp_path_factory.mktemp("watched"), redis, kafka)
    finally:
        del os.environ["SPENDGATE_METRICS_S"]
        redis.kill()
        kafka.kill()


def promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_and_configuration_are_as_prometheus_wants_them_and_alerts_hold_their_cases() -> None:
    promtool("check", "rules", "prometheus/rules/alerts.yml", "prometheus/rules/recording.yml")
    promtool("check", "config", "--syntax-only", "prometheus/prometheus.yml")
    promtool("test", "rules", "prometheus/tests/alerts.yml")


def test_every_alert_has_its_case_and_its_page() -> None:
    text = (ROOT / "prometheus" / "rules" / "alerts.yml").read_text()
    names, pages = re.findall(r"alert: (\w+)", text), re.findall(r"docs }}/([\w/-]+\.md)(?:#([\w-]+))?\"", text)
    assert len(names) == len(pages) > 10
    there = {str(each.relative_to(ROOT / "docs")): places_in(each) for each in (ROOT / "docs").rglob("*.md")}
    cases = (ROOT / "prometheus" / "tests" / "alerts.yml").read_text()
    assert [each for each in names if f"alertname: {each}" not in cases] == []
    assert [page for page, place in pages if page not in there or place not in there[page]] == []


def places_in(page: Path) -> set[str]:
    """The anchors of its headings, and the page itself."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {"", *(re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings)}


def wait_for_a_review_and_an_asked_staging(watched: Watched) -> None:
    with watched.scene.door.changes().of(TENANT, "ann") as change:
        made = policies.create(change, policy("asked", budget("5", {"calendar": "day"})), "-")
        stagings.submit(change, "asked", made.latest.hash, "no history yet")


def test_every_query_of_the_dashboards_returns_data_and_every_metric_is_there(watched: Watched) -> None:
    wait_for_a_review_and_an_asked_staging(watched)
    asked = dict(questions())
    assert len(asked) > 80
    empty = set(asked)

    def all_answered() -> bool:
        empty.difference_update(place for place in sorted(empty) if watched.prometheus.query(asked[place]))
        return not empty

    until(all_answered, "data in every panel", 400, lambda: str(empty) + watched.scene.logs()[-3000:])
    rules = [rule for group in watched.prometheus.ask("rules")["groups"] for rule in group["rules"]]
    assert [rule["name"] for rule in rules if rule["health"] != "ok"] == []
    mentioned = metrics_in([*asked.values(), *(rule["query"] for rule in rules)])
    mentioned -= {"spendgate_demoted_timestamp_seconds"}  # for nothing was demoted yet

    def missing() -> set[str]:
        return mentioned - set(watched.prometheus.ask("label/__name__/values"))

    until(lambda: not missing(), "every metric", 60, lambda: str(missing()))


def test_the_lag_has_examples_that_say_where_in_the_log(watched: Watched) -> None:
    def examples() -> list[dict[str, str]]:
        found = watched.prometheus.ask(
            "query_exemplars", query="spendgate_decision_lag_seconds_bucket", start="0", end="9999999999"
        )
        return [each["labels"] for series in found for each in series["exemplars"]]

    until(examples, "an example", 60)
    assert {"partition", "offset"} <= examples()[0].keys()


def test_a_process_that_stands_still_is_told_of(watched: Watched) -> None:
    watched.recorder.freeze()
    try:
        fired = watched.all_fires("SpendgateProcessDown")
    finally:
        watched.recorder.thaw()
    assert fired["SpendgateProcessDown"]["labels"]["job"] == "spendgate-ledger"
    assert (
        fired["SpendgateProcessDown"]["annotations"]["runbook_url"]
        == "http://docs.example/monitoring.md#a-process-is-down"
    )
    watched.all_out("SpendgateProcessDown")


def test_a_redis_that_is_away_is_told_of_by_who_waits_by_what_is_not_judged_and_then_by_the_lag(
    watched: Watched,
) -> None:
    names = "SpendgateStoreAway", "SpendgateNotJudging", "SpendgateLeasesLost"
    watched.redis.pause()
    try:
        watched.all_fires(*names)
    finally:
        watched.redis.resume()
    watched.all_fires("SpendgateLag")
    watched.all_out(*names, "SpendgateLag")


def test_a_kafka_that_is_away_is_told_of(watched: Watched) -> None:
    watched.kafka.pause()
    try:
        watched.all_fires("SpendgateBrokerAway")
    finally:
        watched.kafka.resume()
    watched.all_out("SpendgateBrokerAway", "SpendgateNotJudging", "SpendgateLag")


def test_a_sender_of_what_is_no_event_is_told_of(watched: Watched) -> None:
    for _ in range(20):
        watched.scene.world.send_raw(TENANT.encode(), b"{")
    watched.all_fires("SpendgateRejectedRate")
    watched.all_out("SpendgateRejectedRate")


def test_a_budget_that_burns_is_told_of_until_the_spending_stops(watched: Watched) -> None:
    fired = watched.all_fires("SpendgateBudgetBurn")
    assert fired["SpendgateBudgetBurn"]["labels"]["policy"] in ("burn", "cap")
    watched.load.spends.clear()
    try:
        watched.all_out("SpendgateBudgetBurn")
    finally:
        watched.load.spends.set()


def test_a_policy_store_that_cannot_be_read_is_told_of(watched: Watched) -> None:
    def rename(old: str, new: str) -> None:
        with sqlite3.connect(watched.scene.folder / "store.db", timeout=60) as database:
            database.execute("PRAGMA legacy_alter_table=ON")
            database.execute(f"ALTER TABLE {old} RENAME TO {new}")

    rename("reviews", "reviews_away")
    try:
        watched.all_fires("SpendgatePolicyStoreAway")
    finally:
        rename("reviews_away", "reviews")
    watched.all_out("SpendgatePolicyStoreAway")


def is_seen_open(watched: Watched) -> object:
    """A minute of traffic proves nothing: a round over forty days is recorded, again until Prometheus has seen it
    before the next real one."""
    record(watched.scene.door, TENANT, watched.staging)
    return watched.prometheus.query('spendgate:gate_ready{policy="cap"} == 1')


def test_an_altered_counter_is_told_of_and_so_are_the_gate_that_it_closes_and_the_demotion(watched: Watched) -> None:
    scene = watched.scene
    watched.all_fires("SpendgateCertificateExpires")
    until(partial(is_seen_open, watched), "the gate to be seen open", 120)
    with Redis.from_url(scene.world.redis_url) as client:
        (slot,) = client.keys(scene.keys.slot(f"{TENANT} {watched.staging} 0 ") + b"*")
        client.hincrby(slot, "a0 team=red", -7)
    fired = watched.all_fires("SpendgateCountersDoubted", "SpendgateEnforcementDemoted", "SpendgateGateLost")
    assert fired["SpendgateEnforcementDemoted"]["labels"]["policy"] == "cap"
    watched.all_out("SpendgateCertificateExpires", "SpendgateEnforcementDemoted", "SpendgateGateLost")
    with Redis.from_url(scene.world.redis_url) as client:
        client.hincrby(slot, "a0 team=red", 7)
    watched.all_out("SpendgateCountersDoubted")
