"""``spendgate admin master-key | reseal``: the operator's master key, which seals the secrets of tenants."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from spendgate.cli.say import USAGE, notice
from spendgate.failure import Failure

if TYPE_CHECKING:
    from policy_store.database import Database
    from policy_store.master_keys import MasterKeys

MASTER_ENV, CONTENT_ENV = "SPENDGATE_MASTER_KEY_FILE", "SPENDGATE_CONTENT_STORE"


def master_key_file(option: Path | None) -> Path:
    """Where the master key lies. Raises Failure."""
    found = option or Path(os.environ.get(MASTER_ENV) or "")
    if found == Path():
        raise Failure(f"where is the master key? expected --file or {MASTER_ENV}", USAGE)
    return found


def make(path: Path) -> None:
    """A new master key in a file. Raises FileExistsError."""
    from policy_store.master_keys import make_master_key_file

    make_master_key_file(path)
    notice(f"a master key is in {path}: without it no fingerprint can be compared and no kept content be read;")
    notice("keep a copy, apart from copies of the databases")


def reseal(path: Path, database: "Database") -> int:
    """Seal the secrets of all tenants under the first key of the file; how many were not. Raises StoreError."""
    from policy_store import tenant_secrets
    from policy_store.master_keys import read_master_key_file

    master: MasterKeys = read_master_key_file(path)
    with database.begin() as connection:
        return tenant_secrets.reseal(connection, master)


def migrate_contents() -> tuple[str | None, str | None] | None:
    """Bring the content store to this program's schema, where there is one: its revision before and after."""
    url = os.environ.get(CONTENT_ENV)
    if not url:
        return None
    from content_store.schema import SCHEMA
    from content_store.store import ContentStore
    from policy_store.migrate import migrate

    store = ContentStore(url)
    try:
        return migrate(store.database, schema=SCHEMA)
    finally:
        store.close()
