"""Requests to turn a flag on: asked for by one operator, confirmed by another within the hour, or nothing."""

from typing import Literal, NamedTuple

from sqlalchemy import Connection, and_, insert, select, update

from policy_store.change import Change
from policy_store.errors import NotFound, Refused
from policy_store.flags import Level, share_of, share_text
from policy_store.tables import flip_requests
from spendgate.model.enforcement import Share

CONFIRM_WITHIN_MS = 3_600_000
State = Literal["open", "confirmed", "withdrawn", "expired"]


class Request(NamedTuple):
    """One request. ``subject``: see Flag. ``expires_ms``: the last instant at which it may be confirmed."""

    id: str
    tenant: str
    level: Level
    subject: str
    share: Share | None
    why: str
    state: State
    asked_by: str
    asked_ms: int
    expires_ms: int
    decided_by: str | None
    decided_ms: int | None

    def at(self, now_ms: int) -> "Request":
        """The request as it is at an instant: one that nobody confirmed in time has expired."""
        is_over = self.state == "open" and now_ms > self.expires_ms
        return self._replace(state="expired") if is_over else self


def ask(change: Change, level: Level, subject: str, share: Share | None, why: str) -> Request:
    """A new request. Raises Refused while there is one that is open."""
    known = waiting(change.connection, change.tenant, level, subject, change.now_ms)
    if known is not None:
        raise Refused("already_asked", f"request {known.id}: {known.asked_by} has asked for it, and it waits")
    made = Request(
        f"flip-{change.fresh()}", change.tenant, level, subject, share, why, "open", change.who, change.now_ms,
        change.now_ms + CONFIRM_WITHIN_MS, None, None,
    )  # fmt: skip
    values = {**made._asdict(), "share": share_text(share)}
    change.connection.execute(insert(flip_requests).values(**values))
    return made


def require(connection: Connection, tenant: str, id_: str) -> Request:
    """A request of the tenant. Raises NotFound."""
    found = _read(connection, and_(flip_requests.c.tenant == tenant, flip_requests.c.id == id_), 1)
    if not found:
        raise NotFound(f"request {id_}: there is none of this name")
    return found[0]


def waiting(connection: Connection, tenant: str, level: Level, subject: str, now_ms: int) -> Request | None:
    """The request for a flag that may still be confirmed."""
    of = and_(
        flip_requests.c.tenant == tenant, flip_requests.c.level == level, flip_requests.c.subject == subject,
        flip_requests.c.state == "open", flip_requests.c.expires_ms >= now_ms,
    )  # fmt: skip
    return next(iter(_read(connection, of, 1)), None)


def listed(connection: Connection, tenant: str, now_ms: int, most: int = 100) -> list[Request]:
    """The tenant's requests, the latest first."""
    return [each.at(now_ms) for each in _read(connection, flip_requests.c.tenant == tenant, most)]


def _read(connection: Connection, of: object, most: int) -> list[Request]:
    wanted = select(flip_requests).where(of)  # type: ignore[arg-type]  # (a condition)
    ordered = wanted.order_by(flip_requests.c.asked_ms.desc(), flip_requests.c.id.desc()).limit(most)
    return [
        Request(**{**row, "share": share_of(row["share"])}) for row in connection.execute(ordered).mappings()
    ]  # fmt: skip


def end(change: Change, request: Request, state: State) -> Request:
    """Note what became of a request."""
    made = request._replace(state=state, decided_by=change.who, decided_ms=change.now_ms)
    change.connection.execute(
        update(flip_requests)
        .where(flip_requests.c.id == request.id)
        .values(state=state, decided_by=made.decided_by, decided_ms=made.decided_ms)
    )
    return made
