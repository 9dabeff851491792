"""What a door has for privacy, put together: made once by the composition root."""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi.concurrency import run_in_threadpool

from content_store.store import ContentStore
from gateway_shadow.config import Config, Misconfigured
from gateway_shadow.privacy.admission import Gate
from gateway_shadow.privacy.desk import Desk
from gateway_shadow.privacy.keeping import Keeper
from gateway_shadow.privacy.redactor import Redactor
from policy_store import privacy
from policy_store.change import Changes
from policy_store.errors import StoreAway
from policy_store.master_keys import MasterKeys, read_master_key_file

PERSONS = {"PERSON", "PER"}


@dataclass
class Privacy:
    """``contents`` and ``keeper``: None without a content store. ``finds_names``: whether there is a model."""

    desk: Desk
    gate: Gate
    master: MasterKeys | None
    contents: ContentStore | None
    keeper: Keeper | None
    finds_names: bool

    async def prepare(self) -> None:
        """Have the redactor begin where a tenant needs it, so that no first call waits for it."""
        with suppress(StoreAway):  # then it begins with the first content
            if self.keeper is not None and await run_in_threadpool(self._is_redacting):
                self.keeper.redactor.prepare()

    def _is_redacting(self) -> bool:
        with self.desk.database.read() as connection:
            return "redacted_trace" in privacy.modes_in_use(connection)

    async def close(self) -> None:
        """Close what is open."""
        if self.keeper is not None:
            await self.keeper.redactor.close()
        if self.contents is not None:
            self.contents.close()


def privacy_of(config: Config, changes: Changes) -> Privacy:
    """By the door's settings; nothing is connected yet. Raises Misconfigured and StoreError."""
    if config.content_store is not None and config.content_store == config.store:
        raise Misconfigured("SPENDGATE_CONTENT_STORE: expected a database of its own, apart from SPENDGATE_STORE")
    if config.privacy_model is not None:
        _require_names(config.privacy_model)
    master = None if config.master_key_file is None else read_master_key_file(config.master_key_file)
    contents = None if config.content_store is None else ContentStore(config.content_store)
    desk = Desk(changes.database, master, contents)
    keeper = None if contents is None else Keeper(contents, Redactor(config.privacy_model))
    return Privacy(desk, Gate(desk, changes), master, contents, keeper, config.privacy_model is not None)


def _require_names(model: Path) -> None:
    """Look into a model's own description; to load it would import spaCy."""
    try:
        told: Any = json.loads((model / "meta.json").read_text(encoding="utf-8"))
        labels = {label for found in told["labels"].values() for label in found}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        labels = set()
    if not labels & PERSONS:
        raise Misconfigured("SPENDGATE_PRIVACY_MODEL: expected the folder of a spaCy model that finds PERSON")
