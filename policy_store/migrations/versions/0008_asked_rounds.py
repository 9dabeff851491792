"""Rounds of the reconciliation that operators ask for."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "asked_rounds",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("staging", sa.String(length=128), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=True),
        sa.Column("to_ms", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("asked_by", sa.String(length=128), nullable=False),
        sa.Column("asked_ms", sa.BigInteger(), nullable=False),
        sa.Column("done_ms", sa.BigInteger(), nullable=True),
        sa.Column("reconciliation", sa.String(length=128), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["staging"], ["stagings.id"], name=op.f("fk_asked_rounds_staging")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_asked_rounds")),
    )
    op.create_index(op.f("ix_asked_rounds_state_asked_ms"), "asked_rounds", ["state", "asked_ms"], unique=False)
    op.create_index(op.f("ix_asked_rounds_staging_asked_ms"), "asked_rounds", ["staging", "asked_ms"], unique=False)
