"""What simulations of a version were recorded: without one over a full window, a version is not staged."""

from typing import NamedTuple

from sqlalchemy import Connection, insert, select

from policy_store.change import Change
from policy_store.lifecycle import after
from policy_store.policies import require_version, set_state
from policy_store.tables import simulations


class Found(NamedTuple):
    """What a simulation says of itself: its report's SHA-256, the engine, where the history came from (kind, name and
    version), its first and last call (ms, None without a call), and how many full windows it held of the budget that
    had the fewest."""

    report_sha256: str
    engine_version: str
    source: str
    from_ms: int | None
    to_ms: int | None
    full_windows: int


class Simulation(NamedTuple):
    """A recorded simulation of one content."""

    id: str
    tenant: str
    policy: str
    hash: str
    report_sha256: str
    engine_version: str
    source: str
    from_ms: int | None
    to_ms: int | None
    full_windows: int
    recorded_by: str
    recorded_ms: int


def record(change: Change, policy: str, hash_: str, found: Found) -> Simulation:
    """Record a simulation; over a full window it makes a draft ``simulated``. Raises NotFound."""
    version = require_version(change.connection, change.tenant, policy, hash_)
    made = Simulation(f"sim-{change.fresh()}", change.tenant, policy, version.hash, *found, change.who, change.now_ms)
    change.connection.execute(insert(simulations).values(**made._asdict()))
    state = after(version.state, "simulate")
    if found.full_windows > 0 and state == "simulated" and state != version.state:
        set_state(change, version, "simulated")
    change.note(
        "simulate", f"policy {policy} {version.hash}", None,
        {"id": made.id, "report_sha256": found.report_sha256, "full_windows": found.full_windows},
    )  # fmt: skip
    return made


def of(connection: Connection, tenant: str, policy: str, hash_: str) -> list[Simulation]:
    """The recorded simulations of a content, the first one first."""
    wanted = select(simulations).where(
        simulations.c.tenant == tenant, simulations.c.policy == policy, simulations.c.hash == hash_
    )
    ordered = wanted.order_by(simulations.c.recorded_ms, simulations.c.id)
    return [Simulation(**row) for row in connection.execute(ordered).mappings()]
