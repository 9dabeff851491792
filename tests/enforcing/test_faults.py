"""What a fault of ours means where something is enforced: an open policy lets the call through and says so, a closed
one refuses it; and off is off, whatever is away."""

from datetime import UTC, datetime

import httpx
from redis import Redis

from spendgate.model.lease import FLAG_UNREAD, Withdrawal, encode_withdrawal
from spendgate.model.policy import Policy
from tests.door.conftest import TENANT
from tests.enforcing.conftest import MakeScene
from tests.enforcing.scene import Scene
from tests.enforcing.test_flip import DOLLAR, OBEYED_S
from tests.live.samples import a_day, budget, call, policy
from tests.live.waiting import in_time, seconds_until, until
from tests.stack import OwnKafka, OwnRedis


def of(scene: Scene, team: str) -> httpx.Response:
    """A call of a team that costs hardly anything."""
    return scene.ask(team=team, estimate_nano_usd=1)


def both(scene: Scene) -> None:
    """An open policy for team red and a closed one for team blue, of which red has used up its cap."""
    for team, mode in (("red", "open"), ("blue", "closed")):
        rules = budget("1", a_day(), ["team"])
        made = policy(
            f"{mode}-cap", rules, scope={"team": [team]}, enforcement={"fail_mode": mode, "reserve_for": "10m"}
        )
        staging = scene.staged(made)
        if team == "red":
            scene.levels_on()
        scene.flipped(staging)
        scene.wait_for_lease(staging)
    scene.send(call(TENANT, 1, datetime.now(UTC), DOLLAR))
    scene.world.settle()
    until(lambda: of(scene, "red").status_code == 429, "the cap to be reached", state=scene.logs)


def whys(answer: httpx.Response) -> list[str]:
    """Why an answer enforced nothing."""
    return [each["why"] for each in answer.json()["not_enforced"]]


IN_DOUBT = {("open-cap", "absent"), ("closed-cap", "absent")}


def told_in_doubt(scene: Scene) -> set[tuple[str, str | None]]:
    """The policies of which the agent has said that reservations may have been lost, and why."""
    return {(each.policy, each.why) for each in scene.records("doubted")}


def test_while_redis_is_away_open_lets_through_and_closed_refuses(make_scene: MakeScene, own_redis: OwnRedis) -> None:
    redis = own_redis()
    scene = make_scene(redis_url=redis.url)
    both(scene)
    redis.kill()
    until(lambda: of(scene, "red").status_code == 200, "open to let through", state=scene.logs)
    refused = of(scene, "blue")
    assert (refused.status_code, refused.json()["not_enforced"]) == (
        429, [{"policy": "closed-cap", "why": "store_away", "fail_mode": "closed"}],
    )  # fmt: skip
    assert int(refused.headers["retry-after"]) > 0
    assert of(scene, "green").status_code == 200
    kinds = {"let_through": "open-cap", "refused_by_fault": "closed-cap"}
    until(lambda: {each.kind: each.policy for each in scene.records() if each.kind in kinds} == kinds, "records of it")


def test_what_the_agent_took_back_for_a_flag_that_it_could_not_read_goes_on_and_is_recorded(scene: Scene) -> None:
    both(scene)
    scene.agents[-1].kill()
    with Redis.from_url(scene.world.redis_url) as client:
        leases = scene.keys.leases(TENANT)
        for why, told in (("policy_off", []), (FLAG_UNREAD, [FLAG_UNREAD])):
            for staging in client.hkeys(leases):
                client.hset(leases, staging, encode_withdrawal(Withdrawal(withdrawn_ms=1, why=why)))
            for team in ("red", "blue"):
                found = of(scene, team)
                assert (found.status_code, [each["why"] for each in found.json()["not_enforced"]]) == (200, told)
    policies = {"open-cap", "closed-cap"}
    until(lambda: {each.policy for each in scene.records("let_through")} == policies, "records of it")
    assert {each.why for each in scene.records("let_through")} == {FLAG_UNREAD}


def test_a_redis_that_was_emptied_enforces_nothing_until_no_reservation_can_be_missing(
    make_scene: MakeScene, own_redis: OwnRedis
) -> None:
    redis = own_redis()
    scene = make_scene(redis_url=redis.url)
    both(scene)
    assert scene.ask(team="blue", estimate_nano_usd=DOLLAR // 2).status_code == 200
    with Redis.from_url(redis.url) as client:
        client.flushall()
    # Half of blue's cap is promised to a call under way, and Redis knows nothing of it any more.
    assert of(scene, "blue").status_code == 429
    assert of(scene, "red").status_code == 200
    until(lambda: told_in_doubt(scene) == IN_DOUBT, "the agent to notice", state=scene.logs)
    scene.world.settle()
    # The counters are what the log says; what was reserved nobody knows, with a lease that goes on or without one.
    doubt = {"doubted", "none"}
    until(lambda: {*whys(of(scene, "blue")), *whys(of(scene, "red"))} <= doubt, "the counters", state=scene.logs)
    assert (of(scene, "blue").status_code, of(scene, "red").status_code) == (429, 200)


def test_what_redis_lost_while_no_agent_looked_is_told_of_all_that_is_on(
    make_scene: MakeScene, own_redis: OwnRedis
) -> None:
    redis = own_redis()
    scene = make_scene(redis_url=redis.url)
    both(scene)
    scene.agents[-1].kill()
    with Redis.from_url(redis.url) as client:
        client.flushall()
    scene.agent("another")
    until(lambda: told_in_doubt(scene) == IN_DOUBT, "another agent to notice", state=scene.logs)


def test_off_is_obeyed_within_two_seconds_though_kafka_is_away(make_scene: MakeScene, own_kafka: OwnKafka) -> None:
    kafka = own_kafka()
    scene = make_scene(kafka.bootstrap)
    scene.levels_on()
    stagings = {name: scene.staged(denying(name)) for name in ("one", "two", "three")}
    for name, staging in stagings.items():
        scene.flipped(staging)
        scene.wait_for_lease(staging)
        assert scene.answer(429, workflow=name, model="gpt").json()["blocked"] == "deny"
    kafka.kill()

    def off_is_obeyed_s() -> float:
        name, staging = stagings.popitem()
        assert scene.ask(workflow=name, model="gpt").status_code == 429
        scene.off(staging)
        return seconds_until(
            lambda: scene.ask(workflow=name, model="gpt").status_code == 200, "off to be obeyed", scene.logs
        )

    in_time(off_is_obeyed_s, OBEYED_S)


def denying(name: str) -> Policy:
    """A policy that denies every call of a workflow."""
    boundary = {"boundary": {"models": {"deny": ["*"]}, "on_breach": "deny"}}
    return policy(name, boundary, scope={"workflow": [name]}, enforcement={"fail_mode": "closed"})
