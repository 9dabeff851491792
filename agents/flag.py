"""The flag as the enforcement agent reads it: twice a second from the policy store, and believed for two seconds.

Unreadable, unknown or stale is off, and so is what stands on a certificate that does not hold.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection

from agents.actuator import Enforced
from policy_store import flags, policies
from policy_store.database import Database
from policy_store.errors import NotFound, StoreAway
from policy_store.flags import OFF, FlagView
from spendgate.engine.version import ENGINE_VERSION
from spendgate.model.canonical import from_canonical
from spendgate.model.enforcement import share_words
from spendgate.model.lease import FLAG_UNREAD
from spendgate.model.policy import MAX_RESERVED_MINUTES
from spendgate.reconcile.certificate import Certificate, Keys, Problem, Wanted, read, verify

log = logging.getLogger(__name__)

EVERY_S, BELIEVED_S = 0.5, 2.0
LONGEST_RESERVE_MS = MAX_RESERVED_MINUTES * 60_000
"""What is believed of a policy that cannot be read."""


class _Certified(NamedTuple):
    """What came of a staging's certificate: why it does not hold, None where it does; and the settings it binds."""

    problem: str | None
    settings: Mapping[str, int | str]


_MISSING = _Certified("missing", {})
_UNREADABLE = _Certified("of_an_unreadable_policy", {})


@dataclass
class FlagReader:
    """What is to be enforced, as read last; ``read_s``: when that reading began. ``keys``: the policy store's public
    keys. ``clock``: monotonic seconds. Certificates are verified as they are read, beside the loop: a batch may ask for
    thousands of calls why they were not blocked, and leases are renewed on the same loop."""

    database: Database
    keys: Keys
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    view: FlagView = OFF
    read_s: float = float("-inf")
    _reserve_for_ms: dict[str, int | None] = field(default_factory=dict)
    _begun: set[str] = field(default_factory=set)
    _certified: Mapping[tuple[str, str], _Certified] = field(default_factory=dict)

    def age_s(self) -> float:
        """How long ago it was read."""
        return self.clock() - self.read_s

    def enforced(self) -> Iterator[Enforced]:
        """All that the flag says is on, on certificates that hold."""
        if self.age_s() > BELIEVED_S:
            return
        for tenant in self.view.stagings:
            for each in self.view.enforced(tenant):
                if self._problem(each) is None:
                    yield Enforced(tenant, each.staging, each.policy, each.hash, each.certificate_id or "", each.share)

    def settings(self, staging: Enforced) -> Mapping[str, int | str]:
        """The settings that the staging's certificate binds."""
        return self._certified.get((staging.tenant, staging.staging), _MISSING).settings

    def why_not(self, tenant: str, staging: str) -> str | None:
        """Why a staging is not to be enforced; None where it is."""
        if self.age_s() > BELIEVED_S:
            return FLAG_UNREAD
        found = next((each for each in self.view.stagings.get(tenant, ()) if each.staging == staging), None)
        if found is None:
            return "policy_off"
        if tenant not in self.view.tenants_on:
            return "tenant_off"
        if not self.view.is_global_on:
            return "global_off"
        problem = self._problem(found)
        return None if problem is None else f"certificate_{problem}"

    def _problem(self, each: flags.Enforced) -> str | None:
        return self._certified.get((each.tenant, each.staging), _MISSING).problem

    def _looked_at(self, each: flags.Enforced) -> _Certified:
        if each.certificate is None:
            return _MISSING
        if self._reserve_for_ms[each.hash] is None:
            return _UNREADABLE
        wanted = Wanted(each.tenant, each.staging, each.policy, each.hash, None, ENGINE_VERSION)
        problem: Problem | None = verify(each.certificate, self.keys, self.now(), wanted)
        found = read(each.certificate)
        settings = found.settings if isinstance(found, Certificate) else {}
        return _Certified(None if problem is None else problem.code, settings)

    @property
    def is_known(self) -> bool:
        """Whether it was read at all."""
        return self.read_s > float("-inf")

    def longest_ms(self, is_mine: Callable[[str], bool]) -> int:
        """How long the longest reservation of some tenants may be kept; 0 where none can have been made: a check
        reserves under a lease alone, and of none of their stagings one was ever granted."""
        begun = [
            self._reserve_for_ms[each.hash] or LONGEST_RESERVE_MS
            for tenant, stagings in self.view.stagings.items()
            if is_mine(tenant)
            for each in stagings
            if each.begun_ms is not None or each.staging in self._begun
        ]
        return max(begun, default=0)

    def words(self, tenant: str) -> str:
        """What is enforced of a tenant, for a person in a hurry."""
        if self.age_s() > BELIEVED_S or not self.view.enforced(tenant):
            return "off"
        return "; ".join(
            f"{each.policy} ({each.staging}), {share_words(each.share)}, since "
            f"{datetime.fromtimestamp(each.since_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}, on {each.certificate_id}"
            for each in self.view.enforced(tenant)
        )

    def note_begun(self, stagings: Iterable[Enforced]) -> None:
        """Note in the store that a first lease was granted: one that is missing later was lost. Raises StoreAway."""
        new = [each for each in stagings if each.staging not in self._begun]
        if new:
            with self.database.begin() as connection:
                flags.note_begun(connection, [each.staging for each in new], int(self.now().timestamp() * 1000))
            self._begun.update(each.staging for each in new)

    async def keep(self) -> None:
        """Read on, until it is cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.read)
            except StoreAway as error:
                log.warning("the flag cannot be read, which is off: %s", error)
            await asyncio.sleep(EVERY_S)

    def read(self) -> None:
        """Read once. Raises StoreAway."""
        begun = self.clock()
        with self.database.read() as connection:
            view = flags.read_flags(connection)
            on = [each for stagings in view.stagings.values() for each in stagings]
            for each in on:
                if each.hash not in self._reserve_for_ms:
                    self._reserve_for_ms[each.hash] = _reserve_for_ms(connection, each)
        self._certified = {(each.tenant, each.staging): self._looked_at(each) for each in on}
        self._begun &= {each.staging for each in on}
        self.view, self.read_s = view, begun


def _reserve_for_ms(connection: Connection, each: flags.Enforced) -> int | None:
    """How long a policy has reservations kept. None for one that this program cannot read: that is off, and no other
    with it, for another program, newer than this, may have written it."""
    try:
        version = policies.require_version(connection, each.tenant, each.policy, each.hash)
        return from_canonical(version.document).spec.enforcement.reserve_for_ms
    except (NotFound, ValueError) as error:
        log.error("%s (%s) cannot be read, which is off: %s", each.policy, each.staging, type(error).__name__)
        return None
