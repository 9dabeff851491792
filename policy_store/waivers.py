"""Waivers: why a criterion does not count for a staging. Given and taken back by an operator, and kept."""

from typing import NamedTuple

from sqlalchemy import Connection, insert, select, update

from policy_store.change import Change
from policy_store.errors import Exists, NotFound, Refused
from policy_store.lifecycle import LIVE
from policy_store.stagings import Staging, require
from policy_store.tables import waivers
from spendgate.model.reconciliation import CriterionName
from spendgate.reconcile.gate_rules import WAIVABLE


class Waiver(NamedTuple):
    """One of a staging; ``ended_ms`` is None while it counts."""

    id: str
    tenant: str
    staging: str
    criterion: CriterionName
    why: str
    made_by: str
    made_ms: int
    ended_by: str | None
    ended_ms: int | None


def of(connection: Connection, tenant: str, staging: str) -> list[Waiver]:
    """All of a staging, the first one first."""
    wanted = select(waivers).where(waivers.c.tenant == tenant, waivers.c.staging == staging)
    ordered = wanted.order_by(waivers.c.made_ms, waivers.c.id)
    return [Waiver(**row) for row in connection.execute(ordered).mappings()]


def reasons(connection: Connection, staging: str) -> dict[str, str]:
    """Those that count, by criterion."""
    wanted = select(waivers.c.criterion, waivers.c.why).where(
        waivers.c.staging == staging, waivers.c.ended_ms.is_(None)
    )
    return {row.criterion: row.why for row in connection.execute(wanted)}


def give(change: Change, staging: Staging, criterion: str, why: str) -> Waiver:
    """Waive a criterion of a staging that is live. Raises Refused, Exists."""
    name = next((each for each in WAIVABLE if each == criterion), None)
    if name is None:
        raise Refused("not_waivable", f"criterion: expected one of {', '.join(WAIVABLE)}; the others stand")
    if staging.state not in LIVE:
        raise Refused("illegal_move", f"staging {staging.id}: expected one that is live; it is {staging.state}")
    if name in reasons(change.connection, staging.id):
        raise Exists(f"staging {staging.id}: {name} is waived already")
    made = Waiver(f"wvr-{change.fresh()}", change.tenant, staging.id, name, why, change.who, change.now_ms, None, None)
    change.connection.execute(insert(waivers).values(**made._asdict()))
    change.note("waive", _subject(staging), None, {"criterion": name, "id": made.id}, why)
    return made


def take_back(change: Change, id_: str, why: str | None = None) -> Waiver:
    """End a waiver. Raises NotFound, Refused."""
    wanted = select(waivers).where(waivers.c.tenant == change.tenant, waivers.c.id == id_)
    row = change.connection.execute(wanted).mappings().one_or_none()
    if row is None:
        raise NotFound(f"waiver {id_}: there is none of this name")
    found = Waiver(**row)
    if found.ended_ms is not None:
        raise Refused("has_ended", f"waiver {id_}: it was taken back already")
    ended = found._replace(ended_by=change.who, ended_ms=change.now_ms)
    change.connection.execute(update(waivers).where(waivers.c.id == id_).values(**ended._asdict()))
    staging = require(change.connection, change.tenant, found.staging)
    change.note("unwaive", _subject(staging), {"criterion": found.criterion, "id": id_}, None, why)
    return ended


def _subject(staging: Staging) -> str:
    return f"staging {staging.id} of {staging.policy}"
