"""What stands in the store, counted for those who watch it: all tenants, one reading.

Bounded by what is staged and by what waits; nothing here grows with the number of calls.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from policy_store import flags
from policy_store.enforcement import SYSTEM
from policy_store.lifecycle import LIVE
from policy_store.reviews import WAITING
from policy_store.tables import certificates, outbox, reconciliations, reviews, stagings
from policy_store.tables import flags as flag_rows


class LiveStaging(NamedTuple):
    """A staging in which workers judge, and its last round: ``gate`` as it was with it, ``differing`` of ``replayed``
    calls. ``certificate_ends_ms``: of the latest certificate. None where there is none yet."""

    tenant: str
    policy: str
    state: str
    gate: str | None
    recorded_ms: int | None
    replayed: int | None
    differing: int | None
    certificate_ends_ms: int | None


class FlagSet(NamedTuple):
    """A flag that was turned on at some time. ``policy``: of the level ``policy``, else empty. ``by_itself``: nobody
    turned it, but the store: a fault was found, or a certificate ran out."""

    level: str
    tenant: str
    policy: str
    is_on: bool
    changed_ms: int
    by_itself: bool


class Waiting(NamedTuple):
    """How many wait, and since when the first of them has; None where none does."""

    number: int
    since_ms: int | None


class Overview(NamedTuple):
    """The store at one instant. By tenant: ``reviews``, and ``submitted`` stagings, which wait for an approver."""

    stagings: list[LiveStaging]
    flags: list[FlagSet]
    reviews: Mapping[str, Waiting]
    submitted: Mapping[str, Waiting]
    outbox: Waiting


def overview(connection: Connection) -> Overview:
    """Read all of it."""
    ended = _last(connection, certificates, "issued_ms", "expires_ms")
    rounds = _last(connection, reconciliations, "number", "gate", "recorded_ms", "replayed", "differing")
    live = select(stagings.c.id, stagings.c.tenant, stagings.c.policy, stagings.c.state).where(
        stagings.c.state.in_(LIVE)
    )
    return Overview(
        [
            LiveStaging(each.tenant, each.policy, each.state, *rounds.get(each.id, (None,) * 4),
                        *ended.get(each.id, (None,)))
            for each in connection.execute(live.order_by(stagings.c.tenant, stagings.c.policy))
        ],
        _flags(connection),
        _by_tenant(connection, reviews, reviews.c.state.in_(WAITING), reviews.c.asked_ms),
        _by_tenant(connection, stagings, stagings.c.state == "submitted", stagings.c.submitted_ms),
        Waiting(*connection.execute(
            select(func.count(), func.min(outbox.c.created_ms)).where(outbox.c.sent_ms.is_(None))
        ).one()),
    )  # fmt: skip


def _last(connection: Connection, table: Any, by: str, *names: str) -> dict[str, tuple[Any, ...]]:
    """Some columns of the last row of each live staging."""
    live = select(stagings.c.id).where(stagings.c.state.in_(LIVE))
    last = select(func.max(table.c[by])).where(table.c.staging == stagings.c.id).correlate(stagings).scalar_subquery()
    wanted = select(stagings.c.id, *(table.c[name] for name in names)).select_from(stagings).join(
        table, (table.c.staging == stagings.c.id) & (table.c[by] == last)
    ).where(stagings.c.id.in_(live))  # fmt: skip
    return {row[0]: tuple(row[1:]) for row in connection.execute(wanted)}


def _flags(connection: Connection) -> list[FlagSet]:
    wanted = select(
        flag_rows.c.level, flag_rows.c.tenant, stagings.c.policy, flag_rows.c.is_on,
        flag_rows.c.changed_ms, flag_rows.c.changed_by,
    ).select_from(flag_rows).outerjoin(stagings, stagings.c.id == flag_rows.c.subject)  # fmt: skip
    return [_flag(*row) for row in connection.execute(wanted.order_by(flag_rows.c.changed_ms))]


def _flag(level: str, tenant: str, policy: str | None, is_on: bool, changed_ms: int, changed_by: str) -> FlagSet:
    name = flags.EVERYWHERE if level == "global" else tenant
    return FlagSet(level, name, policy or "" if level == "policy" else "", is_on, changed_ms, changed_by == SYSTEM)


def _by_tenant(connection: Connection, table: Any, which: Any, since: Any) -> dict[str, Waiting]:
    wanted = select(table.c.tenant, func.count(), func.min(since)).where(which).group_by(table.c.tenant)
    return {tenant: Waiting(number, first_ms) for tenant, number, first_ms in connection.execute(wanted)}
