"""The outbox: what is to stand on Kafka is written in the transaction that decides it, and sent afterwards.

Rows are sent one after the other in the order of their numbers, each once the one before is acknowledged, and again
where it is not known that they were: an activation that comes twice is void the second time.
"""

from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, insert, or_, select, update

from policy_store.change import Change
from policy_store.signing import Signer
from policy_store.tables import leases, outbox
from spendgate.model.activation import Activation, encode_activation
from spendgate.model.announcement import Announcement, Document, record_of
from spendgate.model.review import ReviewRecord, encode_review

TopicName = Literal["policies", "events", "reviews", "reconciliations"]


class Row(NamedTuple):
    """One message that waits. ``topic``: its name in ``topics.yaml``."""

    number: int
    topic: TopicName
    key: bytes
    value: bytes


def post(change: Change, entry: Document | Announcement) -> None:
    """Put a record for ``spend.policies`` into the outbox."""
    record = record_of(entry)
    _add(change, "policies", record.key, record.value)


def activate(change: Change, signer: Signer, **fields: Any) -> Activation:
    """Put a signed activation for ``spend.events`` into the outbox. ``fields``: of Activation, besides its head."""
    made = Activation(
        kind="activation",
        id=f"act-{change.fresh()}",
        tenant=change.tenant,
        time=datetime.fromtimestamp(change.now_ms / 1000, UTC),
        **fields,
    )
    signed = signer.signed(made)
    _add(change, "events", change.tenant.encode(), encode_activation(signed))
    return signed


def tell_review(connection: Connection, record: ReviewRecord, now_ms: int) -> None:
    """Put what became of a review into the outbox, for ``spend.reviews``."""
    _put(connection, "reviews", record.tenant.encode(), encode_review(record), now_ms)


def tell_reconciliation(change: Change, document: bytes) -> None:
    """Put a reconciliation into the outbox, for ``spend.reconciliations``."""
    _add(change, "reconciliations", change.tenant.encode(), document)


def _add(change: Change, topic: TopicName, key: bytes, value: bytes) -> None:
    _put(change.connection, topic, key, value, change.now_ms)


def _put(connection: Connection, topic: TopicName, key: bytes, value: bytes, now_ms: int) -> None:
    connection.execute(insert(outbox).values(topic=topic, key=key, value=value, created_ms=now_ms))


def waiting(connection: Connection, most: int = 100) -> list[Row]:
    """What has not been sent, in order."""
    wanted = select(outbox.c.number, outbox.c.topic, outbox.c.key, outbox.c.value).where(outbox.c.sent_ms.is_(None))
    return [Row(*row) for row in connection.execute(wanted.order_by(outbox.c.number).limit(most))]


def mark_sent(connection: Connection, number: int, now_ms: int) -> None:
    """Note that a row has been acknowledged."""
    connection.execute(update(outbox).where(outbox.c.number == number).values(sent_ms=now_ms))


def take_lease(connection: Connection, holder: str, now_ms: int, lasts_ms: int, name: str = "outbox") -> bool:
    """Whether this process is the one that sends (or does ``name``), until ``now_ms + lasts_ms``; take it again before
    that."""
    until = now_ms + lasts_ms
    # One that ends further ahead than any could was given before the clock stepped back, and might hold for hours.
    free = or_(leases.c.holder == holder, leases.c.until_ms <= now_ms, leases.c.until_ms > now_ms + 2 * lasts_ms)
    taken = update(leases).where(leases.c.name == name, free).values(holder=holder, until_ms=until)
    if connection.execute(taken).rowcount:
        return True
    if connection.scalar(select(leases.c.name).where(leases.c.name == name)) is not None:
        return False
    connection.execute(insert(leases).values(name=name, holder=holder, until_ms=until))
    return True


def give_lease_back(connection: Connection, holder: str, name: str) -> None:
    """Let another process have a lease at once, where this one has it."""
    mine = (leases.c.name == name, leases.c.holder == holder)
    connection.execute(update(leases).where(*mine).values(until_ms=0))
