"""Reconciliations, the gate's criteria and waivers, certificates, and the flag."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "flip_requests",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("share", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("asked_by", sa.String(length=128), nullable=False),
        sa.Column("asked_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.String(length=128), nullable=True),
        sa.Column("decided_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flip_requests")),
    )
    op.create_index(
        op.f("ix_flip_requests_level_subject_state"), "flip_requests", ["level", "subject", "state"], unique=False
    )
    op.create_index(op.f("ix_flip_requests_tenant_asked_ms"), "flip_requests", ["tenant", "asked_ms"], unique=False)
    op.create_table(
        "gate_rules",
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("changed_by", sa.String(length=128), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.name"], name=op.f("fk_gate_rules_tenant")),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_gate_rules")),
    )
    op.create_table(
        "certificates",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("staging", sa.String(length=128), nullable=False),
        sa.Column("reconciliation", sa.String(length=128), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("issued_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["staging"], ["stagings.id"], name=op.f("fk_certificates_staging")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificates")),
    )
    op.create_index(op.f("ix_certificates_reconciliation"), "certificates", ["reconciliation"], unique=False)
    op.create_index(op.f("ix_certificates_staging_issued_ms"), "certificates", ["staging", "issued_ms"], unique=False)
    op.create_table(
        "reconciliations",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("policy", sa.String(length=128), nullable=False),
        sa.Column("staging", sa.String(length=128), nullable=False),
        sa.Column("on_demand", sa.Boolean(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("gate", sa.String(length=16), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=True),
        sa.Column("to_ms", sa.BigInteger(), nullable=True),
        sa.Column("replayed", sa.BigInteger(), nullable=False),
        sa.Column("differing", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("recorded_by", sa.String(length=128), nullable=False),
        sa.Column("recorded_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["staging"], ["stagings.id"], name=op.f("fk_reconciliations_staging")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_reconciliations")),
        sa.UniqueConstraint("id", name=op.f("uq_reconciliations_id")),
    )
    op.create_index(op.f("ix_reconciliations_staging_number"), "reconciliations", ["staging", "number"], unique=False)
    op.create_index(
        op.f("ix_reconciliations_tenant_policy_number"), "reconciliations", ["tenant", "policy", "number"], unique=False
    )
    op.create_table(
        "waivers",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("staging", sa.String(length=128), nullable=False),
        sa.Column("criterion", sa.String(length=16), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("made_by", sa.String(length=128), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_by", sa.String(length=128), nullable=True),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["staging"], ["stagings.id"], name=op.f("fk_waivers_staging")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waivers")),
    )
    op.create_index(op.f("ix_waivers_staging"), "waivers", ["staging"], unique=False)
    op.create_table(
        "flags",
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("tenant", sa.String(length=128), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("asked_by", sa.String(length=128), nullable=True),
        sa.Column("changed_by", sa.String(length=128), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("share", sa.Text(), nullable=True),
        sa.Column("certificate", sa.String(length=128), nullable=True),
        sa.Column("proof_after", sa.BigInteger(), nullable=False),
        sa.Column("begun_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["certificate"], ["certificates.id"], name=op.f("fk_flags_certificate")),
        sa.PrimaryKeyConstraint("level", "subject", name=op.f("pk_flags")),
    )
