"""The policy store's database is away."""

from dev.faults.arena import Arena
from dev.faults.fault import Fault


def _without(arena: Arena) -> None:
    """The path of the log reads no SQL: this load has none to lose. What enforces reads it; see ``enforced``."""
    arena.system.start()
    arena.send(0.5)
    arena.recover()
    arena.send()
    arena.settle()


STORE = (
    Fault(
        "sql_away", "the policy store's PostgreSQL is killed under enforced checks", _without, fits_obvious=False,
        why_not="it has no store",
    ),
)  # fmt: skip
