"""The check: what it says is what the decision will say; and whatever is away, it allows, in time, and says so."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from spendgate.model.check import Check
from spendgate.model.decision import Decision
from spendgate.model.policy import Policy
from tests.door.conftest import TENANT, Door
from tests.door.test_end_to_end import door_onto, opened, send, settle, stage
from tests.live.conftest import MakeWorld, make_world, world
from tests.live.samples import LIFETIME, MONTHLY, ROLLING, budget, calls, policy
from tests.live.waiting import in_time, until
from tests.live.world import World
from tests.stack import OwnRedis

__all__ = ["make_world", "opened", "world"]

BUDGET_S = 0.05
MARGIN_S = 0.45
"""What a busy machine may take besides the check's own budget."""
ASKED = (
    "team",
    "employee",
    "customer",
    "project",
    "workflow",
    "agent",
    "vendor",
    "model",
    "input_tokens",
    "output_tokens",
)


def question(event: dict[str, Any]) -> dict[str, Any]:
    """The check that a sender would ask before this call."""
    asked = {name: event[name] for name in ASKED if name in event}
    return asked | ({"estimate_nano_usd": event["cost_nano_usd"]} if "cost_nano_usd" in event else {})


def ask(client: httpx.Client, asked: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/v1/check", json=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert found["allow"] is True
    return found


def decided(world: World) -> dict[str, Decision]:
    """The decisions so far, by event."""
    return {
        each.event_id: each
        for row in world.broker.read(world.topics.decisions)
        for each in msgspec.json.decode(row.value or b"[]", type=list[Decision])
    }


def restarted(door: Door, world: World) -> Door:
    """The door with a Redis to check by, and time to do so on a machine that is busy."""
    door.stop()
    door.start(SPENDGATE_REDIS=world.redis_url, SPENDGATE_CHECK_S="5")
    return door


def test_what_a_check_says_the_decision_says_if_nothing_comes_between(world: World, opened: Door) -> None:
    door = restarted(opened, world)
    world.worker(SPENDGATE_DEV="", SPENDGATE_STORE_KEYS=door.signer.public)
    send(door, calls(80, 1, TENANT))
    for each in (MONTHLY, ROLLING, LIFETIME):
        stage(door, world, each)
    settle(door, world)
    later = [event for event in calls(40, 2, TENANT) if event.kind == "call" and event.model is not None]
    with door.as_("ingest") as client:
        until(lambda: ask(client, {"team": "x"})["fault"] is None, "the programs compiled")
        for number, event in enumerate(later[:6]):
            fresh = msgspec.structs.replace(event, id=f"later-{number}", time=datetime.now(UTC))
            asked = question(msgspec.to_builtins(fresh))
            said = ask(client, asked)
            send(door, [fresh])
            settle(door, world)
            found = decided(world)[fresh.id]
            assert (said["would_be"], said["fault"]) == (found.verdict, None), fresh.id
            assert [(r["policy"], r["code"], r["used_nano_usd"]) for r in said["reasons"]] == [
                (reason.policy, reason.code, reason.used_before_nano_usd) for reason in found.reasons
            ]
    assert len({each.verdict for each in decided(world).values()}) > 1


def test_a_check_stands_on_its_topic_and_tells_the_budget_in_headers(world: World, opened: Door) -> None:
    door = restarted(opened, world)
    world.worker(SPENDGATE_DEV="", SPENDGATE_STORE_KEYS=door.signer.public)
    stage(door, world, policy("cap", budget("2", {"calendar": "day", "timezone": "UTC"}, ["team"])))
    settle(door, world)
    with door.as_("ingest") as client:
        until(lambda: ask(client, {})["fault"] is None, "the program compiled")
        fits = client.post("/v1/check", json={"team": "red", "estimate_nano_usd": 1_500_000_000})
        over = client.post("/v1/check", json={"team": "red", "estimate_nano_usd": 2_500_000_000})
        priced = ask(client, {"vendor": "openai", "model": "gpt-4o", "input_tokens": 1_000_000, "output_tokens": 0})
        unknown = ask(client, {"model": "nobody-sells-this", "input_tokens": 1})
        envoy = client.post(
            "/v1/ext_authz/some/path?x=1",
            headers={"x-spendgate-team": "red", "x-spendgate-estimate-nano-usd": "2500000000"},
        )
        odd = client.get("/v1/ext_authz/x", headers={"x-spendgate-team": "two words", "x-spendgate-input-tokens": "x"})
    assert (fits.json()["would_be"], over.json()["would_be"]) == ("approve", "deny")
    assert over.json()["reasons"][0]["code"] == "over_cap"
    assert over.headers["x-spendgate-would-be"] == "deny"
    assert over.headers["x-spendgate-mode"] == "shadow"
    assert over.headers["ratelimit-policy"] == '"cap/0";q=2000000;qu="micro-usd";w=86400'
    assert over.headers["ratelimit"].startswith('"cap/0";r=2000000;t=')
    assert priced["estimate_nano_usd"] == 2_500_000_000
    assert (unknown["estimate_nano_usd"], unknown["would_be"]) == (None, "review")
    assert (envoy.status_code, envoy.headers["x-spendgate-would-be"]) == (200, "deny")
    assert (odd.status_code, odd.headers["x-spendgate-would-be"]) == (200, "review")
    wanted = {fits.json()["check_id"], over.json()["check_id"], envoy.headers["x-spendgate-check-id"]}
    until(lambda: wanted <= recorded(door).keys(), "the checks on their topic")
    record = recorded(door)[over.json()["check_id"]]
    assert (record.would_be, record.team, record.estimate_nano_usd, record.tenant) == (
        "deny",
        "red",
        2_500_000_000,
        TENANT,
    )


def recorded(door: Door) -> dict[str, Check]:
    found = (msgspec.json.decode(row.value, type=Check) for row in door.rows("checks"))
    return {each.check_id: each for each in found}


def test_what_is_settled_names_its_check(door: Door) -> None:
    with door.as_("ingest") as client:
        id_ = ask(client, {"team": "red"})["check_id"]
        event = {"id": "e1", "time": "2026-05-01T10:00:00Z", "check_id": id_, "cost_nano_usd": 5}
        assert client.post("/v1/events", json=event).json()["accepted"] == 1
    assert json.loads(door.rows()[0].value)["check_id"] == id_


@pytest.mark.parametrize("fault", ["stopped", "frozen"])
def test_without_redis_a_check_allows_in_time_and_says_why(
    make_world: MakeWorld, own_redis: OwnRedis, tmp_path: Path, fault: str
) -> None:
    redis = own_redis()
    world = make_world(redis_url=redis.url)
    door = door_onto(world, tmp_path, SPENDGATE_REDIS=world.redis_url)
    try:
        with door.as_("ingest") as client:

            def slowest_s() -> float:
                until(lambda: ask(client, {})["fault"] is None, "the verdict")
                (redis.kill if fault == "stopped" else redis.pause)()
                slowest = 0.0
                for _ in range(5):
                    begun = time.perf_counter()
                    said = ask(client, {"team": "red", "estimate_nano_usd": 1})
                    slowest = max(slowest, time.perf_counter() - begun)
                    assert said["would_be"] is None
                    assert said["fault"] in ("slow", "store_away")
                (redis.start if fault == "stopped" else redis.resume)()
                return slowest

            in_time(slowest_s, BUDGET_S + MARGIN_S)
            until(lambda: ask(client, {})["fault"] is None, "the verdict again")
    finally:
        door.stop(kill=True)
        door.database.close()


def test_a_policy_that_the_store_does_not_have_is_said_and_nothing_is_refused(world: World, opened: Door) -> None:
    world.worker()
    world.stage(TENANT, unstored(), "stg-dev")
    settle(opened, world)
    door = restarted(opened, world)
    with door.as_("ingest") as client:
        until(lambda: ask(client, {})["fault"] == "unknown_policy", "the fault")


def unstored() -> Policy:
    """A policy that was never in the store."""
    return policy("dev-only", budget("1", {"lifetime": True}))


def test_a_question_with_content_is_refused_by_name(shared_door: Door) -> None:
    with shared_door.as_("ingest") as client:
        answer = client.post("/v1/check", json={"team": "red", "prompt": "the patient said"})
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == ["prompt"]
    assert "patient" not in answer.text
