"""What the store says of a tenant's privacy, believed for a second: so a change holds everywhere within two.

While the store is away what was known goes on for some minutes, like keys; who is not known then gets a 503.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from content_store.store import ContentStore
from gateway_shadow.beliefs import WITHOUT_STORE_S, Beliefs
from gateway_shadow.privacy.fingerprints import Secret
from gateway_shadow.privacy.resolving import Resolver
from policy_store import gateway_keys, privacy, tenant_secrets
from policy_store.database import Database
from policy_store.errors import Refused, StoreAway
from policy_store.master_keys import MasterKeys
from policy_store.signing import public_key
from policy_store.tenant_secrets import Purpose, TenantSecret
from spendgate.model.event import PrivacyMode
from spendgate.model.privacy import is_within

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TenantPrivacy:
    """All that handling a tenant's calls needs. ``gateways``: keys that may sign for it, by id."""

    resolver: Resolver
    fingerprints: Secret | None
    contents: Secret | None
    retention_ms: int
    gateways: Mapping[str, Ed25519PublicKey]


@dataclass
class Desk:
    """Looks tenants up. ``master`` and ``contents``: what this door has been given; without them the wider modes are
    not obeyed, but tightened to the widest that can be."""

    database: Database
    master: MasterKeys | None = None
    contents: ContentStore | None = None
    clock: Callable[[], float] = time.monotonic
    _known: Beliefs[TenantPrivacy] = field(init=False)
    _told: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._known = Beliefs(self.clock, self.read)

    async def of(self, tenant: str) -> TenantPrivacy:
        """A tenant's privacy. Raises StoreAway."""
        if (known := self._known.in_use(tenant)) is not None:
            return known
        try:
            return cast("TenantPrivacy", await self._known.ask(tenant))
        except StoreAway:
            if (known := self._known.get(tenant, WITHOUT_STORE_S)) is None:
                raise
            return known

    def read(self, tenant: str) -> TenantPrivacy:
        """A tenant's privacy, from the store. Raises StoreAway."""
        with self.database.read() as connection:
            settings = privacy.get(connection, tenant).settings
            secrets = tenant_secrets.listed(connection, tenant)
            gateways = gateway_keys.listed(connection, tenant)
        fingerprints, contents = self._opened(secrets, "fingerprint"), self._opened(secrets, "content")
        most = self._most(fingerprints, contents)
        if not is_within(settings.widest, most) and tenant not in self._told:
            self._told.add(tenant)
            log.warning("tenant %s: %s is set, and this door obeys %s: its master key, or no content store", tenant,
                        settings.widest, most)  # fmt: skip
        return TenantPrivacy(
            Resolver.of(settings, most), fingerprints, contents,
            settings.retention_days * 86_400_000,
            {each.id: public_key(each.public, "gateway key") for each in gateways if each.revoked_ms is None},
        )  # fmt: skip

    def opened(self, secrets: list[TenantSecret]) -> list[Secret]:
        """Secret keys, opened; without those that this door's master key does not open."""
        return [found for each in secrets if (found := self._open(each)) is not None]

    def _open(self, sealed: TenantSecret) -> Secret | None:
        try:
            return None if self.master is None else Secret(sealed.id, self.master.open(sealed.sealed, sealed.bound_to))
        except Refused:
            return None

    def _opened(self, secrets: list[TenantSecret], purpose: Purpose) -> Secret | None:
        current = [each for each in secrets if each.purpose == purpose and each.retired_ms is None]
        return next(iter(self.opened(current)), None)

    def _most(self, fingerprints: Secret | None, contents: Secret | None) -> PrivacyMode:
        if fingerprints is None:
            return "metadata_only"
        return "fingerprint_only" if contents is None or self.contents is None else "full_trace"
