"""Tenants, and the life of their policies: versions, simulations, stagings."""

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

from policy_store.tables.base import HASH, NAME, metadata

tenants = Table(
    "tenants",
    metadata,
    Column("name", NAME, primary_key=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("one_person", Boolean, nullable=False),
    Column("settings", Text, nullable=False),
    Column("revision", Integer, nullable=False),
)

policies = Table(
    "policies",
    metadata,
    Column("tenant", NAME, primary_key=True),
    Column("name", NAME, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("created_by", NAME, nullable=False),
    ForeignKeyConstraint(["tenant"], ["tenants.name"]),
)

versions = Table(
    "versions",
    metadata,
    Column("tenant", NAME, primary_key=True),
    Column("policy", NAME, primary_key=True),
    Column("hash", HASH, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("source", Text, nullable=False),
    Column("author", NAME, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    ForeignKeyConstraint(["tenant", "policy"], ["policies.tenant", "policies.name"]),
    UniqueConstraint("tenant", "policy", "number"),
)

simulations = Table(
    "simulations",
    metadata,
    Column("id", NAME, primary_key=True),
    Column("tenant", NAME, nullable=False),
    Column("policy", NAME, nullable=False),
    Column("hash", HASH, nullable=False),
    Column("report_sha256", HASH, nullable=False),
    Column("engine_version", NAME, nullable=False),
    Column("source", Text, nullable=False),
    Column("from_ms", BigInteger),
    Column("to_ms", BigInteger),
    Column("full_windows", Integer, nullable=False),
    Column("recorded_by", NAME, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    ForeignKeyConstraint(["tenant", "policy", "hash"], ["versions.tenant", "versions.policy", "versions.hash"]),
    Index(None, "tenant", "policy", "hash"),
)

stagings = Table(
    "stagings",
    metadata,
    Column("id", NAME, primary_key=True),
    Column("tenant", NAME, nullable=False),
    Column("policy", NAME, nullable=False),
    Column("hash", HASH, nullable=False),
    Column("state", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("waiver", Text),
    Column("submitted_by", NAME, nullable=False),
    Column("submitted_ms", BigInteger, nullable=False),
    Column("decided_by", NAME),
    Column("decided_ms", BigInteger),
    Column("alone", Boolean, nullable=False),
    Column("ended_by", NAME),
    Column("ended_ms", BigInteger),
    ForeignKeyConstraint(["tenant", "policy", "hash"], ["versions.tenant", "versions.policy", "versions.hash"]),
    Index(None, "tenant", "policy"),
)
