"""What the store takes out of ``spend.decisions``: would-be reviews and alerts. A repeat changes nothing."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection, and_, select

from policy_store import alerts, reviews
from policy_store.alerts import Alert
from policy_store.asked_reviews import asked
from policy_store.change import now_ms
from policy_store.crossings import Crossing, crossings
from policy_store.database import Database
from policy_store.settled_checks import with_answers
from policy_store.tables import stagings, versions
from spendgate.model.canonical import from_canonical
from spendgate.model.decision import Decision, read_decisions
from spendgate.model.policy import Policy

_SIGNS = (b'"review"', b'"alerts"', b'"over_cap"')
"""What stands in a message that holds anything for the store; most hold approvals alone, and are not decoded."""
_MOST_KNOWN = 10_000


class Taken(NamedTuple):
    """What came of some messages. ``reviews``: new ones that wait. ``alerts``: those that were raised. ``unreadable``:
    messages that hold no decisions."""

    reviews: int
    unreadable: int
    alerts: tuple[Alert, ...] = ()


@dataclass
class Decisions:
    """Takes messages in. Not for two threads at once."""

    database: Database
    now_ms: Callable[[], int] = now_ms
    _known: dict[tuple[str, str], Policy] = field(default_factory=dict)

    def take(self, values: Iterable[bytes | None]) -> Taken:
        """All of these messages in one transaction. Raises StoreAway: then nothing of it was done."""
        found, unreadable = _read(values)
        asking = [each for each in found if each.verdict == "review"]
        crossed = crossings(found)
        if crossed:
            with self.database.read() as connection:
                crossed = self._untold(connection, crossed)
        if not (asking or crossed):
            return Taken(0, unreadable)
        with self.database.begin() as connection:
            policy_of = self._policies(connection, _named(asking))
            rows = {row.id: row for each in asking for row in asked(each, lambda *at: policy_of.get(at))}
            new = alerts.raise_all(connection, [*map(alerts.of_crossing, crossed)], self.now_ms())
            queued = list(with_answers(connection, list(rows.values())))
            return Taken(reviews.add_new(connection, queued, self.now_ms()), unreadable, tuple(new))

    def _untold(self, connection: Connection, crossed: Sequence[Crossing]) -> list[Crossing]:
        policy_of = self._policies(connection, {(each.decision.tenant, each.reason.staging) for each in crossed})
        return alerts.untold_crossings(connection, crossed, lambda *at: policy_of.get(at))

    def _policies(self, connection: Connection, named: set[tuple[str, str]]) -> dict[tuple[str, str], Policy]:
        """By tenant and staging; a version never changes, so each is read once."""
        if missing := named - self._known.keys():
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
                missing = named
            self._known.update(_stored(connection, missing))
        return self._known


def _named(found: Iterable[Decision]) -> set[tuple[str, str]]:
    return {(each.tenant, reason.staging) for each in found for reason in each.reasons}


def _read(values: Iterable[bytes | None]) -> tuple[list[Decision], int]:
    found: list[Decision] = []
    unreadable = 0
    for value in values:
        if value is None or not any(sign in value for sign in _SIGNS):
            continue
        decisions = read_decisions(value)
        found += decisions or []
        unreadable += decisions is None
    return found, unreadable


def _stored(connection: Connection, wanted: Iterable[tuple[str, str]]) -> Iterator[tuple[tuple[str, str], Policy]]:
    of_staging = and_(
        versions.c.tenant == stagings.c.tenant, versions.c.policy == stagings.c.policy,
        versions.c.hash == stagings.c.hash,
    )  # fmt: skip
    for tenant, staging in wanted:
        at = select(versions.c.document).join(stagings, of_staging)
        document = connection.scalar(at.where(stagings.c.tenant == tenant, stagings.c.id == staging))
        if document is not None:
            yield (tenant, staging), from_canonical(document)
