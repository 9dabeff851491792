"""A worker is killed at each step of its way."""

from dev.faults.arena import Arena
from dev.faults.fault import Fault
from dev.trial.waiting import until


def _kill_at_each_step(arena: Arena) -> None:
    """One worker after the other is killed at its second pass of a step; the last one is not."""
    share = 0.9 / (len(arena.system.steps) * 4)
    for step in arena.system.steps:
        worker = arena.system.start(SPENDGATE_FAULT=f"{step}:2")
        until(worker.owned, "an assignment")
        for _ in range(3):
            if worker.alive():
                arena.send(share, wait=True)
        worker.ended()
    arena.system.start()
    arena.recover()
    arena.send()
    arena.settle()


KILLS = (Fault("kill_worker", "worker `kill -9` at each step", _kill_at_each_step),)
