"""From shadow to enforced and back: what is asked for is obeyed, by records in the log and leases in Redis."""

from datetime import UTC, datetime

from spendgate.model.policy import Policy
from tests.door.conftest import TENANT
from tests.enforcing.scene import Scene
from tests.live.samples import budget, call, policy
from tests.live.waiting import until

DOLLAR = 10**9


def capped(cap_usd: str, name: str = "cap", **enforcement: str) -> Policy:
    """A cap on a team's day."""
    return policy(name, budget(cap_usd, {"calendar": "day"}, ["team"]), enforcement=enforcement)


def test_a_policy_denies_once_two_people_have_turned_it_on_and_allows_once_one_has_turned_it_off(scene: Scene) -> None:
    staging = scene.staged(capped("1"))
    scene.send(call(TENANT, 1, datetime.now(UTC), DOLLAR))
    scene.world.settle()
    until(lambda: scene.ask(team="red", estimate_nano_usd=1).json()["would_be"] == "deny", "shadow to know of the call")
    assert scene.ask(team="red", estimate_nano_usd=1).status_code == 200

    scene.levels_on()
    scene.flipped(staging)
    scene.wait_for_lease(staging)
    until(lambda: scene.ask(team="red", estimate_nano_usd=1).status_code == 429, "the door to obey", 5)
    denied = scene.ask(team="red", estimate_nano_usd=1)
    assert (denied.status_code, denied.json()["allow"], denied.json()["blocked"]) == (429, False, "deny")
    (reason,) = denied.json()["reasons"]
    assert (reason["stage"], reason["code"], reason["used_nano_usd"]) == ("enforced", "over_cap", DOLLAR)
    assert int(denied.headers["retry-after"]) > 0
    assert scene.ask(team="blue", estimate_nano_usd=1).status_code == 200

    scene.off(staging)
    until(lambda: scene.ask(team="red", estimate_nano_usd=1).status_code == 200, "off to be obeyed", 2)
    until(lambda: told(scene) == ["granted", "withdrawn"], "what the agent did", 10)


def told(scene: Scene) -> list[str]:
    """What became of leases, in order."""
    return [each.kind for each in scene.records() if each.kind in ("granted", "withdrawn", "lost")]
