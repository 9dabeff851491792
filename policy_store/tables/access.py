"""Who may do what: API keys, people and their sessions."""

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, String, Table, Text, UniqueConstraint

from policy_store.tables.base import HASH, NAME, metadata

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("tenant", NAME, nullable=False),
    Column("person", NAME, nullable=False),
    Column("role", String(16), nullable=False),
    Column("secret_sha256", HASH, nullable=False),
    Column("created_by", NAME, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    Column("replaces", String(16)),
    ForeignKeyConstraint(["tenant"], ["tenants.name"]),
    Index(None, "tenant"),
)

people = Table(
    "people",
    metadata,
    Column("name", NAME, primary_key=True),
    Column("person", NAME, nullable=False),
    Column("issuer", String(300)),
    Column("subject", String(255)),
    Column("created_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger),
    UniqueConstraint("issuer", "subject"),
)
"""``name``: as a provider says it; ``person``: who that is here; ``issuer`` and ``subject``: the account behind it."""

sessions = Table(
    "sessions",
    metadata,
    Column("id", NAME, primary_key=True),
    Column("secret_sha256", HASH, nullable=False),
    Column("tenant", NAME, nullable=False),
    Column("person", NAME, nullable=False),
    Column("role", String(16), nullable=False),
    Column("key_id", String(16)),
    Column("rules", HASH),
    Column("id_token_sealed", Text),
    Column("created_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Column("idle_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column("ended_by", NAME),
    ForeignKeyConstraint(["tenant"], ["tenants.name"]),
    ForeignKeyConstraint(["key_id"], ["api_keys.id"]),
    Index(None, "expires_ms"),
    Index(None, "person"),
)

session_grants = Table(
    "session_grants",
    metadata,
    Column("session", NAME, primary_key=True),
    Column("tenant", NAME, primary_key=True),
    Column("role", String(16), primary_key=True),
    ForeignKeyConstraint(["session"], ["sessions.id"]),
    Index(None, "tenant"),
)

login_codes = Table(
    "login_codes",
    metadata,
    Column("code_sha256", HASH, primary_key=True),
    Column("session", NAME, nullable=False),
    Column("tenant", NAME, nullable=False),
    Column("person", NAME, nullable=False),
    Column("role", String(16), nullable=False),
    Column("challenge", String(64), nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    ForeignKeyConstraint(["session"], ["sessions.id"]),
    Index(None, "session"),
)
