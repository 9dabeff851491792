"""Run by Alembic: takes the steps on the connection that ``policy_store.migrate`` hands over, in its transaction."""

from alembic import context

from policy_store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
