"""Run by Alembic: takes the steps on the connection that ``policy_store.migrate`` hands over, in its transaction."""

from alembic import context

from content_store.schema import SCHEMA
from content_store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True,
    version_table=SCHEMA.version_table,
)  # fmt: skip
context.run_migrations()
