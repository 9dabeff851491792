"""The table of kept content. ``content_store/migrations`` leads an existing database here; a test holds both equal."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, UniqueConstraint

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_NAME = String(128)

contents = Table(
    "contents",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("tenant", _NAME, nullable=False),
    Column("source", _NAME, nullable=False),
    Column("event_id", _NAME, nullable=False),
    Column("mode", String(32), nullable=False),
    Column("kept_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("key_id", String(32), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    UniqueConstraint("tenant", "source", "event_id"),
    Index(None, "until_ms"),
    Index(None, "tenant", "kept_ms"),
)
"""``until_ms``: when the retention ends that held when it was kept. ``sealed``: see ``content_store.cipher``."""
