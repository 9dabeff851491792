"""What the door says of budgets is what the log comes to, counter by counter; and a Redis that is away is told of."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from spendgate.model.event import Event
from tests.door.conftest import TENANT, MakeDoor
from tests.door.test_check import decided, restarted
from tests.door.test_end_to_end import opened, send, settle, stage
from tests.live.conftest import make_world, world
from tests.live.samples import LIFETIME, MONTHLY, ROLLING, calls
from tests.live.world import World
from tests.stack import OwnRedis

__all__ = ["make_world", "opened", "world"]


def recorded(events: Iterable[Event], budget: dict[str, Any]) -> dict[str, int]:
    """What calls have cost within a budget's window, by the values of its counters; each call once."""
    found: Counter[str] = Counter()
    calls_ = {(each.source, each.id): each for each in reversed(list(events)) if each.kind == "call"}
    for each in calls_.values():
        if not _is_within(each.time, budget) or each.cost_nano_usd is None:
            continue
        values = [f"{name}={getattr(each, name) or '(none)'}" for name in budget["per"]]
        found[" ".join(values) or "all"] += each.cost_nano_usd
    return dict(found)


def _is_within(at: datetime, budget: dict[str, Any]) -> bool:
    start, end = (budget[name] and datetime.fromisoformat(budget[name]) for name in ("window_start", "window_end"))
    return start is None or start <= at < end


def test_every_counter_holds_what_its_calls_have_cost(world: World, opened: Any) -> None:
    door = restarted(opened, world)
    world.worker(SPENDGATE_DEV="", SPENDGATE_STORE_KEYS=door.signer.public)
    flow = calls(120, 1, TENANT)
    ids = [stage(door, world, each) for each in (MONTHLY, ROLLING, LIFETIME)]
    send(door, flow)
    settle(door, world)
    with door.as_("viewer") as client:
        found = client.get("/v1/budgets").json()
        one = client.get("/v1/budgets", params={"policy": "monthly"}).json()
    budgets = {(each["policy"], each["rule"]): each for each in found["budgets"]}
    assert {each["staging"] for each in budgets.values()} == set(ids)
    assert list(budgets) == [("monthly", 0), ("rolling", 0), ("lifetime", 0), ("lifetime", 1)]
    assert [each["policy"] for each in one["budgets"]] == ["monthly"]
    assert found["latest_received_at"] is not None
    for each in budgets.values():
        held = {counter["counter"]: counter for counter in each["counters"]}
        owed = recorded(flow, each)
        assert {key: counter["recorded_nano_usd"] for key, counter in held.items() if key in owed} == owed
        assert all(counter["recorded_nano_usd"] == 0 for key, counter in held.items() if key not in owed)
    reasons = [reason for each in decided(world).values() for reason in each.reasons if reason.counter]
    for reason in reasons:
        budget = budgets[reason.policy, reason.rule]
        if budget["resets_at"] and datetime.fromisoformat(budget["resets_at"]) != reason.window_end:
            continue  # of a call before the last midnight
        counter = next(each for each in budget["counters"] if each["counter"] == reason.counter)
        assert counter["used_nano_usd"] >= (reason.used_before_nano_usd or 0)
        assert counter["remaining_nano_usd"] == max(0, (reason.limit_nano_usd or 0) - counter["used_nano_usd"])
        assert reason.code != "over_cap" or counter["mark"] == "over"
    assert reasons


def test_a_redis_that_is_away_is_told_of_and_none_at_all_too(
    make_door: MakeDoor, own_redis: OwnRedis, stack: Any, tmp_path: Path
) -> None:
    redis = own_redis()
    door = make_door(stack.bootstrap, SPENDGATE_REDIS=redis.url)
    with door.as_("viewer") as client:
        empty = client.get("/v1/budgets").json()
        assert (empty["budgets"], empty["latest_received_at"], empty["offset"]) == ([], None, None)
        redis.kill()
        away = client.get("/v1/budgets")
        assert (away.status_code, away.json()["type"]) == (503, "urn:spendgate:problem:redis_away")
    door.stop()
    door.start()
    with door.as_("viewer") as client:
        assert client.get("/v1/budgets").json()["type"] == "urn:spendgate:problem:no_redis"
