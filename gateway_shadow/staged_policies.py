"""Policies by hash, from the policy store's database; a version never changes, so each is read once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fastapi.concurrency import run_in_threadpool

from policy_store import policies
from policy_store.database import Database
from spendgate.model.canonical import from_canonical
from spendgate.model.policy import Policy


@dataclass
class StagedPolicies:
    """The policies that stagings name."""

    database: Database
    _known: dict[str, dict[str, Policy]] = field(default_factory=dict)

    async def __call__(self, tenant: str, hashes: Iterable[str]) -> Mapping[str, Policy]:
        """A tenant's policies, among them these. Raises LookupError for one that the store does not have, StoreAway."""
        known = self._known.setdefault(tenant, {})
        missing = [hash_ for hash_ in hashes if hash_ not in known]
        if missing:
            known.update(await run_in_threadpool(self._read, tenant, missing))
        return known

    def now(self, tenant: str, hashes: Iterable[str]) -> Mapping[str, Policy]:
        """The same, for a thread that may wait."""
        return self._read(tenant, list(dict.fromkeys(hashes)))

    def _read(self, tenant: str, hashes: list[str]) -> dict[str, Policy]:
        with self.database.read() as connection:
            documents = policies.by_hashes(connection, tenant, hashes)
        found = {hash_: from_canonical(document) for hash_, document in documents.items()}
        if len(found) < len(set(hashes)):
            raise LookupError("a staging's document is not in the policy store")
        return found
