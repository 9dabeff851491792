"""What is on its way to the workers, who sends it, and the audit trail."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text

from policy_store.tables.base import HASH, NAME, NUMBER, metadata

outbox = Table(
    "outbox",
    metadata,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("topic", String(16), nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("sent_ms", BigInteger),
    Index(None, "sent_ms", "number"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", NAME, primary_key=True),
    Column("holder", NAME, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("tenant", NAME, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", NAME, nullable=False),
    Column("action", String(32), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("before", Text),
    Column("after", Text),
    Column("why", Text),
    Column("previous", HASH, nullable=False),
    Column("hash", HASH, nullable=False),
)

audit_heads = Table(
    "audit_heads",
    metadata,
    Column("tenant", NAME, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("hash", HASH, nullable=False),
)
