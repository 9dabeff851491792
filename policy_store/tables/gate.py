"""Reconciliations, and what they may open: gate rules, waivers, certificates and flags."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from policy_store.tables.base import HASH, NAME, NUMBER, metadata

reconciliations = Table(
    "reconciliations",
    metadata,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("id", NAME, nullable=False),
    Column("tenant", NAME, nullable=False),
    Column("policy", NAME, nullable=False),
    Column("staging", NAME, nullable=False),
    Column("on_demand", Boolean, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("gate", String(16), nullable=False),
    Column("from_ms", BigInteger),
    Column("to_ms", BigInteger),
    Column("replayed", BigInteger, nullable=False),
    Column("differing", BigInteger, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("sha256", HASH, nullable=False),
    Column("recorded_by", NAME, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    ForeignKeyConstraint(["staging"], ["stagings.id"]),
    UniqueConstraint("id"),
    Index(None, "tenant", "policy", "number"),
    Index(None, "staging", "number"),
)
"""``from_ms``, ``to_ms``: what was observed. ``gate``: what the staging's gate was with it."""

asked_rounds = Table(
    "asked_rounds",
    metadata,
    Column("id", NAME, primary_key=True),
    Column("tenant", NAME, nullable=False),
    Column("staging", NAME, nullable=False),
    Column("from_ms", BigInteger),
    Column("to_ms", BigInteger),
    Column("state", String(16), nullable=False),
    Column("asked_by", NAME, nullable=False),
    Column("asked_ms", BigInteger, nullable=False),
    Column("done_ms", BigInteger),
    Column("reconciliation", NAME),
    Column("problem", Text),
    ForeignKeyConstraint(["staging"], ["stagings.id"]),
    Index(None, "state", "asked_ms"),
    Index(None, "staging", "asked_ms"),
)
"""Reconciliations that operators have asked the agent for; ``reconciliation`` is the id of what came of it."""

gate_rules = Table(
    "gate_rules",
    metadata,
    Column("tenant", NAME, primary_key=True),
    Column("rules", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("changed_by", NAME, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
    ForeignKeyConstraint(["tenant"], ["tenants.name"]),
)

waivers = Table(
    "waivers",
    metadata,
    Column("id", NAME, primary_key=True),
    Column("tenant", NAME, nullable=False),
    Column("staging", NAME, nullable=False),
    Column("criterion", String(16), nullable=False),
    Column("why", Text, nullable=False),
    Column("made_by", NAME, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Column("ended_by", NAME),
    Column("ended_ms", BigInteger),
    ForeignKeyConstraint(["staging"], ["stagings.id"]),
    Index(None, "staging"),
)

certificates = Table(
    "certificates",
    metadata,
    Column("id", NAME, primary_key=True),
    Column("tenant", NAME, nullable=False),
    Column("staging", NAME, nullable=False),
    Column("reconciliation", NAME, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("issued_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    ForeignKeyConstraint(["staging"], ["stagings.id"]),
    Index(None, "staging", "issued_ms"),
    Index(None, "reconciliation"),
)

flags = Table(
    "flags",
    metadata,
    Column("level", String(16), primary_key=True),
    Column("subject", NAME, primary_key=True),
    Column("tenant", NAME, nullable=False),
    Column("is_on", Boolean, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("asked_by", NAME),
    Column("changed_by", NAME, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
    Column("why", Text),
    Column("share", Text),
    Column("certificate", NAME),
    Column("proof_after", BigInteger, nullable=False),
    Column("begun_ms", BigInteger),
    ForeignKeyConstraint(["certificate"], ["certificates.id"]),
)
"""A flag that is not here is off. ``subject``: the tenant, or of the level ``policy`` the staging, of the level
``global`` nothing. ``proof_after``: only reconciliations with a higher number prove anything of it. ``begun_ms``: when
a first lease was granted by it."""

flip_requests = Table(
    "flip_requests",
    metadata,
    Column("id", NAME, primary_key=True),
    Column("tenant", NAME, nullable=False),
    Column("level", String(16), nullable=False),
    Column("subject", NAME, nullable=False),
    Column("share", Text),
    Column("why", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("asked_by", NAME, nullable=False),
    Column("asked_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("decided_by", NAME),
    Column("decided_ms", BigInteger),
    Index(None, "tenant", "asked_ms"),
    Index(None, "level", "subject", "state"),
)
