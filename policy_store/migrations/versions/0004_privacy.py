"""Privacy settings, secrets of tenants, and the keys of their gateways."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "gateway_nonces",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("nonce", sa.String(length=128), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "key_id", "nonce", name=op.f("pk_gateway_nonces")),
    )
    op.create_index(op.f("ix_gateway_nonces_until_ms"), "gateway_nonces", ["until_ms"], unique=False)
    op.create_table(
        "gateway_keys",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("public", sa.String(length=64), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name=op.f("fk_gateway_keys_tenant")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_gateway_keys")),
    )
    op.create_table(
        "privacy_settings",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name=op.f("fk_privacy_settings_tenant")),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_privacy_settings")),
    )
    op.create_table(
        "tenant_secrets",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("retired_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name=op.f("fk_tenant_secrets_tenant")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenant_secrets")),
    )
    op.create_index(op.f("ix_tenant_secrets_tenant"), "tenant_secrets", ["tenant"], unique=False)
