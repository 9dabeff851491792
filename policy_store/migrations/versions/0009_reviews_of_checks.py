"""Reviews of held checks, and the calls that settle them."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Take the step."""
    op.add_column("reviews", sa.Column("check_id", sa.String(length=128), nullable=True))
    op.add_column("reviews", sa.Column("answered_with", sa.String(length=64), nullable=True))
    op.add_column("reviews", sa.Column("settled_by", sa.String(length=300), nullable=True))
