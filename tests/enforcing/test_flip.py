"""From shadow to enforced and back: what is asked for is obeyed, by records in the log and leases in Redis."""

from datetime import UTC, datetime

from spendgate.model.policy import Policy
from tests.door.conftest import TENANT
from tests.enforcing.scene import Scene
from tests.live.samples import a_day, budget, call, policy
from tests.live.waiting import in_time, seconds_until, until

DOLLAR = 10**9
OBEYED_S = 2.0


def capped(cap_usd: str, name: str = "cap", **enforcement: str) -> Policy:
    """A cap on a team's day."""
    return policy(name, budget(cap_usd, a_day(), ["team"]), enforcement=enforcement)


def test_a_policy_denies_once_two_people_have_turned_it_on_and_allows_once_one_has_turned_it_off(scene: Scene) -> None:
    staging = scene.staged(capped("1"))
    scene.send(call(TENANT, 1, datetime.now(UTC), DOLLAR))
    scene.world.settle()
    until(lambda: scene.ask(team="red", estimate_nano_usd=1).json()["would_be"] == "deny", "shadow to know of the call")
    assert scene.ask(team="red", estimate_nano_usd=1).status_code == 200

    scene.levels_on()

    def off_is_obeyed_s() -> float:
        scene.flipped(staging)
        denied = scene.answer(429, team="red", estimate_nano_usd=1)
        assert (denied.json()["allow"], denied.json()["blocked"]) == (False, "deny")
        (reason,) = denied.json()["reasons"]
        assert (reason["stage"], reason["code"], reason["used_nano_usd"]) == ("enforced", "over_cap", DOLLAR)
        assert int(denied.headers["retry-after"]) > 0
        assert scene.ask(team="blue", estimate_nano_usd=1).status_code == 200
        scene.off(staging)
        return seconds_until(
            lambda: scene.ask(team="red", estimate_nano_usd=1).status_code == 200, "off to be obeyed", scene.logs
        )

    in_time(off_is_obeyed_s, OBEYED_S)
    until(lambda: told(scene)[-1] != "granted", "what the agent did", state=scene.logs)
    # A lease that an agent was too late to renew is lost, and granted again.
    granted, taken = told(scene)[::2], told(scene)[1::2]
    assert granted == ["granted"] * len(taken)
    assert set(taken) <= {"withdrawn", "lost"}
    assert taken.count("withdrawn") >= 1 or "lost" in taken


def told(scene: Scene) -> list[str]:
    """What became of leases, in order."""
    return [each.kind for each in scene.records() if each.kind in ("granted", "withdrawn", "lost")]
