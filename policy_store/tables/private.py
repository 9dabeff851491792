"""What privacy needs: settings, secrets, and the keys and nonces of tenants' own gateways."""

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, Integer, String, Table, Text

from policy_store.tables.base import NAME, metadata

privacy_settings = Table(
    "privacy_settings",
    metadata,
    Column("tenant", NAME, primary_key=True),
    Column("document", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    ForeignKeyConstraint(["tenant"], ["tenants.name"]),
)

tenant_secrets = Table(
    "tenant_secrets",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", NAME, nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("sealed", Text, nullable=False),
    Column("created_by", NAME, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("retired_ms", BigInteger),
    ForeignKeyConstraint(["tenant"], ["tenants.name"]),
    Index(None, "tenant"),
)

gateway_keys = Table(
    "gateway_keys",
    metadata,
    Column("tenant", NAME, primary_key=True),
    Column("id", String(16), primary_key=True),
    Column("name", NAME, nullable=False),
    Column("public", String(64), nullable=False),
    Column("created_by", NAME, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger),
    ForeignKeyConstraint(["tenant"], ["tenants.name"]),
)

gateway_nonces = Table(
    "gateway_nonces",
    metadata,
    Column("tenant", NAME, primary_key=True),
    Column("key_id", String(16), primary_key=True),
    Column("nonce", NAME, primary_key=True),
    Column("until_ms", BigInteger, nullable=False),
    Index(None, "until_ms"),
)
"""Nonces of signed bodies; ``until_ms``: from then on the body is too old in any case."""
