"""Alerts: each is told once, and is in the history whether or not there is anybody to send it to.

``raise_`` is for whatever has something to tell: crossings come from decisions, and other parts of the program call it
within the change that they tell of.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from policy_store import alert_targets
from policy_store.alert_targets import Target, wants
from policy_store.asked_reviews import PolicyOf, ms
from policy_store.crossings import Crossing, untold
from policy_store.errors import NotFound
from policy_store.tables import alert_deliveries, alerts
from spendgate.model.alert import AlertKind
from spendgate.model.decision import Verdict
from spendgate.model.words import crossing, explain

TRIED_MS = 24 * 3_600_000
"""For so long an alert is tried, from its delivery's beginning on; one that is older when it is raised is not sent."""
KEPT_MS = 400 * 86_400_000
"""For so long alerts are kept, after the end of their window; the longest rolling window is no longer."""
_TOGETHER = 500


class Alert(NamedTuple):
    """One alert. ``at_ms``: when what it tells of happened. ``series`` and what follows it: of crossings alone."""

    id: str
    tenant: str
    kind: AlertKind
    policy: str
    staging: str
    stage: str
    words: str
    at_ms: int
    series: str | None = None
    rule: int | None = None
    counter: str | None = None
    threshold_percent: int | None = None
    verdict: Verdict | None = None
    window_start_ms: int | None = None
    window_end_ms: int | None = None
    limit_nano_usd: int | None = None
    used_before_nano_usd: int | None = None
    cost_nano_usd: int | None = None
    source: str | None = None
    event_id: str | None = None
    event_ms: int | None = None
    decision_id: str | None = None


class After(NamedTuple):
    """Where a page of the history ended."""

    at_ms: int
    id: str


def alert_id(*parts: object) -> str:
    """The same for the same parts, so that what is told twice is one alert."""
    return f"alr-{sha256(' '.join(map(str, parts)).encode()).hexdigest()[:32]}"


def raise_(connection: Connection, alert: Alert, now_ms: int) -> bool:
    """Tell of something: into the history, and to every target that wants it. False if it is there already.

    Call it in the transaction that does what it tells of, under a name that a repeat has too:
    ``raise_(change.connection, Alert(alert_id("enforcement_demoted", staging, revision), ...), change.now_ms)``.
    """
    return bool(raise_all(connection, [alert], now_ms))


def raise_all(connection: Connection, found: Sequence[Alert], now_ms: int) -> list[Alert]:
    """As ``raise_``; those that were new."""
    new: list[Alert] = []
    for start in range(0, len(found), _TOGETHER):
        part = found[start : start + _TOGETHER]
        known = _known(connection, [each.id for each in part])
        new += [each for each in part if each.id not in known]
    _insert(connection, alerts, [each._asdict() for each in new])
    _insert(connection, alert_deliveries, _deliveries(connection, new, now_ms))
    return new


def untold_crossings(connection: Connection, found: Sequence[Crossing], policy_of: PolicyOf) -> list[Crossing]:
    """Those of which nothing has been told."""
    told: set[str] = set()
    latest_ms: dict[str, int] = {}
    ended = func.max(alerts.c.window_end_ms)
    for start in range(0, len(found), _TOGETHER):
        part = found[start : start + _TOGETHER]
        told |= _known(connection, [each.id for each in part])
        series = alerts.c.series.in_([each.series for each in part])
        rows = connection.execute(select(alerts.c.series, ended).where(series).group_by(alerts.c.series))
        latest_ms.update({name: end_ms for name, end_ms in rows if end_ms is not None})
    return untold(found, told, latest_ms, policy_of)


def of_crossing(found: Crossing) -> Alert:
    """The alert of a crossing."""
    decision, reason, cost = found.decision, found.reason, found.decision.cost_nano_usd
    is_cap = found.percent is None
    return Alert(
        id=found.id, tenant=decision.tenant, kind=found.kind, policy=reason.policy, staging=reason.staging,
        stage=reason.stage,
        words=explain(reason, cost) if found.percent is None else crossing(reason, found.percent, cost or 0),
        at_ms=ms(decision.decided_at), series=found.series, rule=reason.rule, counter=reason.counter,
        threshold_percent=found.percent, verdict=reason.verdict if is_cap else "warn",
        window_start_ms=None if reason.window_start is None else ms(reason.window_start),
        window_end_ms=None if reason.window_end is None else ms(reason.window_end),
        limit_nano_usd=reason.limit_nano_usd, used_before_nano_usd=reason.used_before_nano_usd, cost_nano_usd=cost,
        source=decision.source, event_id=decision.event_id, event_ms=ms(decision.event_time),
        decision_id=decision.decision_id,
    )  # fmt: skip


def require(connection: Connection, tenant: str, id_: str) -> Alert:
    """An alert of the tenant. Raises NotFound."""
    wanted = select(alerts).where(alerts.c.tenant == tenant, alerts.c.id == id_)
    row = connection.execute(wanted).mappings().one_or_none()
    if row is None:
        raise NotFound(f"alert {id_}: there is none of this name")
    return Alert(**row)


def listed(
    connection: Connection, tenant: str, *, policy: str | None = None, kind: AlertKind | None = None,
    after: After | None = None, most: int = 100,
) -> list[Alert]:  # fmt: skip
    """A page of the history, the latest first."""
    wanted = select(alerts).where(alerts.c.tenant == tenant)
    if policy is not None:
        wanted = wanted.where(alerts.c.policy == policy)
    if kind is not None:
        wanted = wanted.where(alerts.c.kind == kind)
    if after is not None:
        earlier = and_(alerts.c.at_ms == after.at_ms, alerts.c.id < after.id)
        wanted = wanted.where(or_(alerts.c.at_ms < after.at_ms, earlier))
    ordered = wanted.order_by(alerts.c.at_ms.desc(), alerts.c.id.desc()).limit(most)
    return [Alert(**row) for row in connection.execute(ordered).mappings()]


def has_old(connection: Connection, now_ms: int) -> bool:
    """Whether there is anything for ``forget_old``."""
    return connection.scalar(select(alerts.c.id).where(_is_old(now_ms)).limit(1)) is not None


def forget_old(connection: Connection, now_ms: int, most: int = 1000) -> int:
    """Delete alerts that no rule looks at any more, up to ``most``; how many. A crossing of a lifetime is kept."""
    ids = list(connection.scalars(select(alerts.c.id).where(_is_old(now_ms)).limit(most)))
    for start in range(0, len(ids), _TOGETHER):
        part = ids[start : start + _TOGETHER]
        connection.execute(delete(alert_deliveries).where(alert_deliveries.c.alert.in_(part)))
        connection.execute(delete(alerts).where(alerts.c.id.in_(part)))
    return len(ids)


def _is_old(now_ms: int) -> ColumnElement[bool]:
    before_ms = now_ms - KEPT_MS
    return and_(alerts.c.at_ms < before_ms, or_(alerts.c.window_end_ms < before_ms, alerts.c.series.is_(None)))


def _deliveries(connection: Connection, new: Iterable[Alert], now_ms: int) -> list[dict[str, Any]]:
    targets: dict[str, list[Target]] = {}
    rows: list[dict[str, Any]] = []
    for alert in new:
        if alert.at_ms <= now_ms - TRIED_MS:
            continue
        if alert.tenant not in targets:
            targets[alert.tenant] = alert_targets.listed(connection, alert.tenant)
        rows += [
            {"alert": alert.id, "target": target.id, "target_name": target.name, "state": "waiting", "attempts": 0,
             "since_ms": now_ms, "next_ms": now_ms}
            for target in targets[alert.tenant]
            if wants(target, alert.policy, alert.kind, alert.threshold_percent)
        ]  # fmt: skip
    return rows


def _known(connection: Connection, ids: Sequence[str]) -> set[str]:
    return set(connection.scalars(select(alerts.c.id).where(alerts.c.id.in_(ids))))


def _insert(connection: Connection, table: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, those that another process has just inserted left as they are."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    for start in range(0, len(rows), _TOGETHER):
        connection.execute(insert(table).on_conflict_do_nothing(), rows[start : start + _TOGETHER])
