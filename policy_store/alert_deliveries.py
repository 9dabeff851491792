"""Deliveries: each alert to each target that wants it, tried until it is taken, or until a day is over.

One process has a delivery at a time, under a lease; one that dies lets it run out, and the alert is sent again under
the same id. Whoever answers wrongly is asked again after a growing pause. A target that does not answer at all holds
off all of its own deliveries, and nobody else's; once it does answer, they go at once.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update

from policy_store import alert_targets as targets
from policy_store.alert_targets import Target
from policy_store.alerts import TRIED_MS, Alert, require
from policy_store.change import Change, Changes
from policy_store.errors import Refused
from policy_store.tables import alert_deliveries as table
from policy_store.tables import alert_targets, alerts

State = Literal["waiting", "sent", "dead"]
LEASE_MS = 30_000
"""Twice as long as an attempt may take."""
FIRST_MS, LONGEST_MS, LONGEST_PAUSE_MS = 5_000, 3_600_000, 300_000
"""The first pause, which doubles; the longest of a delivery, and the longest that a silent target holds off others."""
LATE = "it could not be delivered within a day"
WHO = "(alerts)"
GONE = 410
SILENT = (408, 425, 429)
"""Answers, besides 5xx, that are about the target as a whole, and not about one alert."""


class Delivery(NamedTuple):
    """One row. ``since_ms``: when its day began; ``status``: what the target has answered last."""

    alert: str
    target: str
    target_name: str
    state: State
    attempts: int
    since_ms: int
    next_ms: int | None
    holder: str | None
    until_ms: int | None
    ended_ms: int | None
    status: int | None
    problem: str | None


class Held(NamedTuple):
    """A delivery that this process has, for as long as its lease lasts."""

    delivery: Delivery
    alert: Alert
    target: Target


class Answer(NamedTuple):
    """What came of an attempt. ``status``: of HTTP, if there was an answer. ``problem``: why it was not taken, None
    where it was. ``retry_after_ms``: what the target asks for. ``is_silent``: the target as a whole cannot take
    anything now."""

    status: int | None = None
    problem: str | None = None
    retry_after_ms: int = 0
    is_silent: bool = False


class Waiting(NamedTuple):
    """How many wait, and for how long the first of them has."""

    deliveries: int
    oldest_ms: int


def pause_ms(attempts: int, longest_ms: int, chance: float) -> int:
    """Before the next attempt: it doubles, up to ``longest_ms``, and a quarter of it more or less, so that not all
    come at once. ``chance``: from 0 to 1."""
    whole: int = FIRST_MS * 2 ** min(attempts - 1, 20)
    return round(min(whole, longest_ms) * (0.75 + chance / 2))


@dataclass(frozen=True)
class Deliveries:
    """The deliveries as one process sees them. ``holder`` names it; ``chance``: draws from 0 to 1."""

    changes: Changes
    holder: str
    chance: Callable[[], float] = random.random

    def ready(self, but: Iterable[str] = (), most: int = 100) -> list[str]:
        """Targets for which something is due, who waits longest first; none of ``but``. Raises StoreAway."""
        now_ms = self.changes.now_ms()
        wanted = (
            select(table.c.target)
            .join(alert_targets, alert_targets.c.id == table.c.target)
            .where(_is_due(now_ms), _is_open(now_ms), table.c.target.not_in(list(but)))
            .group_by(table.c.target)
            .order_by(func.min(table.c.next_ms), table.c.target)
        )
        with self.changes.database.read() as connection:
            return list(connection.scalars(wanted.limit(most)))

    def claim(self, target: str) -> Held | None:
        """The next delivery to a target, now this process's; None where there is none. Raises StoreAway."""
        now_ms = self.changes.now_ms()
        with self.changes.database.begin() as connection:
            to = connection.execute(select(alert_targets).where(alert_targets.c.id == target, _is_open(now_ms)))
            row = to.mappings().one_or_none()
            due = select(table).join(alerts).where(table.c.target == target, _is_due(now_ms)).order_by(*_ORDER).limit(1)
            found = connection.execute(due).mappings().one_or_none()
            if row is None or found is None:
                return None
            delivery = Delivery(**found)._replace(holder=self.holder, until_ms=now_ms + LEASE_MS)
            mine = update(table).where(*_at(delivery), _is_due(now_ms))
            if not connection.execute(mine.values(holder=delivery.holder, until_ms=delivery.until_ms)).rowcount:
                return None
            alert = connection.execute(select(alerts).where(alerts.c.id == delivery.alert)).mappings().one()
            return Held(delivery, Alert(**alert), Target(**row))

    def settle(self, held: Held, answer: Answer) -> State:
        """Note what came of an attempt; where the delivery is now. Raises StoreAway: then it will be sent again."""
        now_ms = self.changes.now_ms()
        made = self._after(held, answer, now_ms)
        mine = (*_at(held.delivery), table.c.holder == self.holder, table.c.until_ms == held.delivery.until_ms)
        # A transaction each: whoever writes both begins with the target, or PostgreSQL could find a deadlock.
        with self.changes.database.begin() as connection:
            connection.execute(update(table).where(*mine).values(**made))
        if answer.is_silent or held.target.failures:
            with self.changes.database.begin() as connection:
                self._tell_target(connection, held.target, answer, now_ms)
        if answer.status == GONE:
            with self.changes.of(held.target.tenant, WHO) as change:
                targets.switch_off(change, held.target.id, "it has answered 410: it is gone for good")
        state: State = made["state"]
        return state

    def _after(self, held: Held, answer: Answer, now_ms: int) -> dict[str, Any]:
        attempts = held.delivery.attempts + 1
        said = {"attempts": attempts, "status": answer.status, "problem": answer.problem, **_FREE}
        if answer.problem is None:
            return {**said, **_ended("sent", now_ms)}
        next_ms = now_ms + max(pause_ms(attempts, LONGEST_MS, self.chance()), answer.retry_after_ms)
        if answer.status == GONE or next_ms > held.delivery.since_ms + TRIED_MS:
            return {**said, **_ended("dead", now_ms)}
        return {**said, "state": "waiting", "next_ms": next_ms}

    def _tell_target(self, connection: Connection, target: Target, answer: Answer, now_ms: int) -> None:
        at = update(alert_targets).where(alert_targets.c.id == target.id)
        if answer.is_silent:
            failures = target.failures + 1
            pause = max(pause_ms(failures, LONGEST_PAUSE_MS, self.chance()), answer.retry_after_ms)
            connection.execute(at.values(failures=failures, paused_until_ms=now_ms + pause))
            return
        connection.execute(at.values(failures=0, paused_until_ms=None))
        untaken = or_(table.c.status.is_(None), table.c.status >= 500, table.c.status.in_(SILENT))
        waiting = (table.c.target == target.id, table.c.state == "waiting", table.c.next_ms > now_ms)
        connection.execute(update(table).where(*waiting, untaken).values(next_ms=now_ms))

    def bury(self) -> int:
        """Give up what has waited for a day; how many. Raises StoreAway."""
        now_ms = self.changes.now_ms()
        late = and_(table.c.state == "waiting", table.c.since_ms <= now_ms - TRIED_MS, _is_free(now_ms))
        with self.changes.database.read() as connection:
            if connection.scalar(select(table.c.alert).where(late).limit(1)) is None:
                return 0
        with self.changes.database.begin() as connection:
            problem = func.coalesce(table.c.problem, LATE)
            return connection.execute(
                update(table).where(late).values(**_FREE, **_ended("dead", now_ms), problem=problem)
            ).rowcount

    def waiting(self) -> Waiting:
        """What waits, of all tenants. Raises StoreAway."""
        wanted = select(func.count(), func.min(table.c.since_ms)).where(table.c.state == "waiting")
        with self.changes.database.read() as connection:
            count, since_ms = connection.execute(wanted).one()
        now_ms = self.changes.now_ms()
        return Waiting(count, max(0, now_ms - (since_ms or now_ms)))


def of_alerts(connection: Connection, ids: Sequence[str]) -> dict[str, list[Delivery]]:
    """The deliveries of these alerts, by alert, in the order of their targets' names."""
    found: dict[str, list[Delivery]] = {id_: [] for id_ in ids}
    wanted = select(table).where(table.c.alert.in_(ids)).order_by(table.c.target_name, table.c.target)
    for row in connection.execute(wanted).mappings():
        found[row["alert"]].append(Delivery(**row))
    return found


def resend(change: Change, alert: str, target: str) -> Delivery:
    """Have an alert sent to a target again, under the same id, for another day; also one that it never was for. Raises
    NotFound, and Refused for one that waits anyway."""
    connection, now_ms = change.connection, change.now_ms
    found, to = require(connection, change.tenant, alert), targets.require(connection, change.tenant, target)
    if not to.enabled:
        raise Refused("disabled", f"target {target}: expected one that is enabled")
    known = {each.target: each for each in of_alerts(connection, [found.id])[found.id]}.get(to.id)
    if known is not None and known.state == "waiting":
        raise Refused("waiting", f"alert {alert}: it waits to be sent to {target} already")
    begun = {"state": "waiting", "attempts": 0, "since_ms": now_ms, "next_ms": now_ms, "ended_ms": None, **_FREE}
    fresh = Delivery(found.id, to.id, to.name, "waiting", 0, 0, None, None, None, None, None, None)
    made = (known or fresh)._replace(**begun)
    open_to = update(alert_targets).where(alert_targets.c.id == to.id).values(failures=0, paused_until_ms=None)
    connection.execute(open_to)
    if known is None:
        connection.execute(insert(table).values(**made._asdict()))
    else:
        connection.execute(update(table).where(*_at(known), table.c.state == known.state).values(**begun))
    change.note("resend", f"alert {alert} to {target}", None, None)
    return made


_ORDER = (table.c.next_ms, alerts.c.at_ms, func.coalesce(alerts.c.threshold_percent, 101), table.c.alert)
"""What is due first goes first; of one call, the thresholds before the cap."""
_FREE: dict[str, Any] = {"holder": None, "until_ms": None}


def _ended(state: State, now_ms: int) -> dict[str, Any]:
    return {"state": state, "next_ms": None, "ended_ms": now_ms}


def _at(delivery: Delivery) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return table.c.alert == delivery.alert, table.c.target == delivery.target


def _is_due(now_ms: int) -> ColumnElement[bool]:
    return and_(table.c.state == "waiting", _is_past(table.c.next_ms, now_ms, TRIED_MS), _is_free(now_ms))


def _is_free(now_ms: int) -> ColumnElement[bool]:
    return or_(table.c.until_ms.is_(None), _is_past(table.c.until_ms, now_ms, 2 * LEASE_MS))


def _is_open(now_ms: int) -> ColumnElement[bool]:
    """Of a target: something may be sent to it now."""
    paused = alert_targets.c.paused_until_ms
    return and_(alert_targets.c.enabled, or_(paused.is_(None), _is_past(paused, now_ms, TRIED_MS)))


def _is_past(column: Any, now_ms: int, most_ms: int) -> ColumnElement[bool]:
    """Whether an instant has come; one that is further ahead than any could be is of a clock that has stepped back."""
    return or_(column <= now_ms, column > now_ms + most_ms)
