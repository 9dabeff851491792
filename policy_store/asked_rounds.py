"""Rounds of the reconciliation that operators ask for: the agent makes them as soon as it can, each once.

What is asked for while the same is waiting, or being made, is that one. An agent that dies leaves its round to the next
one that has the lease.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from sqlalchemy import Connection, insert, select, update

from policy_store.change import Change, Changes
from policy_store.errors import Refused
from policy_store.lifecycle import LIVE
from policy_store.stagings import Staging
from policy_store.tables import asked_rounds

State = Literal["waiting", "running", "done", "failed"]
_UNDONE = ("waiting", "running")


class AskedRound(NamedTuple):
    """``from_ms``, ``to_ms``: of which part of the log; None: all of it, as the agent's own rounds. ``reconciliation``:
    its result once it is done; ``problem``: why it could not be made."""

    id: str
    tenant: str
    staging: str
    from_ms: int | None
    to_ms: int | None
    state: State
    asked_by: str
    asked_ms: int
    done_ms: int | None = None
    reconciliation: str | None = None
    problem: str | None = None

    @property
    def is_part(self) -> bool:
        """Whether it is of a part of the log alone, which proves nothing."""
        return self.from_ms is not None or self.to_ms is not None


def ask(change: Change, staging: Staging, from_ms: int | None = None, to_ms: int | None = None) -> AskedRound:
    """Ask for one. Raises Refused for a staging that is not live, and an interval that ends before it begins."""
    if staging.state not in LIVE:
        raise Refused("illegal_move", f"staging {staging.id}: expected one that is live; it is {staging.state}")
    if from_ms is not None and to_ms is not None and to_ms <= from_ms:
        raise Refused("bad_interval", "to: expected an instant after from")
    known = [each for each in listed(change.connection, change.tenant, staging.id) if each.state in _UNDONE]
    for each in known:
        if (each.from_ms, each.to_ms) == (from_ms, to_ms):
            return each
    made = AskedRound(
        f"ask-{change.fresh()}", change.tenant, staging.id, from_ms, to_ms, "waiting", change.who, change.now_ms
    )
    change.connection.execute(insert(asked_rounds).values(**made._asdict()))
    after = {"id": made.id, "from_ms": from_ms, "to_ms": to_ms}
    change.note("ask_reconciliation", f"staging {staging.id} of {staging.policy}", None, after)
    return made


def listed(connection: Connection, tenant: str, staging: str, most: int = 100) -> list[AskedRound]:
    """Those of a staging, the latest first."""
    wanted = select(asked_rounds).where(asked_rounds.c.tenant == tenant, asked_rounds.c.staging == staging)
    ordered = wanted.order_by(asked_rounds.c.asked_ms.desc(), asked_rounds.c.id).limit(most)
    return [AskedRound(**row) for row in connection.execute(ordered).mappings()]


def undone(connection: Connection) -> list[AskedRound]:
    """All that are to be made, of every tenant, the first that was asked for first."""
    wanted = select(asked_rounds).where(asked_rounds.c.state.in_(_UNDONE))
    ordered = wanted.order_by(asked_rounds.c.asked_ms, asked_rounds.c.id)
    return [AskedRound(**row) for row in connection.execute(ordered).mappings()]


def begin(changes: Changes, asked: AskedRound) -> None:
    """Say that it is being made."""
    _set(changes, asked, {"state": "running"})


def finish(changes: Changes, asked: AskedRound, reconciliation: str | None, problem: str | None = None) -> None:
    """Say what came of it."""
    state: State = "failed" if reconciliation is None else "done"
    values = {"state": state, "done_ms": changes.now_ms(), "reconciliation": reconciliation, "problem": problem}
    _set(changes, asked, values)


def _set(changes: Changes, asked: AskedRound, values: Mapping[str, object]) -> None:
    with changes.database.begin() as connection:
        connection.execute(update(asked_rounds).where(asked_rounds.c.id == asked.id).values(**values))
