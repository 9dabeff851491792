"""Where the steps of the content store's schema lie."""

from pathlib import Path

from policy_store.migrate import Schema

SCHEMA = Schema("content store", Path(__file__).parent / "migrations", "content_store_version")
