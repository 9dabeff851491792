"""A cap holds under concurrency: many processes ask at once, a worker and an agent are killed on the way, and not one
nano-dollar too much is admitted."""

import json
import subprocess
import sys
from pathlib import Path

from redis import Redis

from tests.door.conftest import TENANT, Door
from tests.enforcing.callers import TEAM
from tests.enforcing.scene import Scene
from tests.enforcing.test_flip import DOLLAR
from tests.live.samples import budget, policy
from tests.live.waiting import until

ROOT = Path(__file__).resolve().parents[2]
PROCESSES, CALLERS, CALLS = 4, 60, 1


def crowd(door: Door, name: str) -> "subprocess.Popen[bytes]":
    """A process of callers."""
    numbers = (CALLERS, CALLS, 7)
    command = [sys.executable, "-m", "tests.enforcing.callers", door.url, door.key("ingest"), name]
    return subprocess.Popen([*command, *map(str, numbers)], cwd=ROOT, stdout=subprocess.PIPE)


def admitted(scene: Scene, staging: str) -> int:
    """What the counter of the cap has admitted."""
    with Redis.from_url(scene.world.redis_url) as client:
        (slot,) = client.keys(scene.keys.slot(f"{TENANT} {staging} 0 ") + b"*")
        return int(client.hget(slot, f"a0 team={TEAM}"))


def test_hundreds_of_callers_never_admit_more_than_the_cap_though_worker_and_agent_are_killed(scene: Scene) -> None:
    rule = budget("1", {"lifetime": True}, ["team"])
    staging = scene.enforced(policy("crowd-cap", rule, enforcement={"fail_mode": "closed", "reserve_for": "1m"}))
    until(lambda: scene.ask(team=TEAM, estimate_nano_usd=2 * DOLLAR).status_code == 429, "the cap to be enforced")

    doors = scene.door, scene.another_door()
    processes = [crowd(doors[number % 2], f"p{number}") for number in range(PROCESSES)]
    until(lambda: scene.reserved() or any(p.poll() is not None for p in processes), "callers to reserve")
    scene.world.workers[-1].kill()
    scene.agents[-1].kill()
    scene.world.worker()
    scene.agent()
    made = [tuple(each) for process in processes for each in json.loads(process.communicate(timeout=300)[0])]
    assert all(process.returncode == 0 for process in processes)
    assert len(made) > 10
    assert not scene.records("let_through")

    until(lambda: not scene.reserved(), "every call to be settled", 120, lambda: f"{scene.reserved()} {scene.logs()}")
    spent = sum(cost for _, cost in made)
    assert admitted(scene, staging) == spent <= DOLLAR

    # What the kills have refused may be had now, to the cap and not a nano-dollar beyond.
    scene.answer(200, team=TEAM, estimate_nano_usd=DOLLAR - spent)
    assert scene.ask(team=TEAM, estimate_nano_usd=1).status_code == 429
