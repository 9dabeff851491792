"""What the flag says, as one process sees it: read from the policy store twice a second, and believed for two seconds.

Unreadable, unknown or stale is off. What is on comes with all that a check needs when nothing else answers: whom it is
for, and what a fault means.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from policy_store.database import Database
from policy_store.errors import StoreAway
from policy_store.flags import Enforced, read_flags
from spendgate.engine.calls import Calls, time_ms
from spendgate.engine.staging import Staging, TenantDocument
from spendgate.engine.tenant import Tenant
from spendgate.model.enforcement import Share, in_share
from spendgate.model.event import Event
from spendgate.model.policy import Enforcement, Policy

log = logging.getLogger(__name__)

EVERY_S, BELIEVED_S = 0.5, 2.0
Policies = Callable[[str, Sequence[str]], Mapping[str, Policy]]
"""A tenant's policies by hash. Raises LookupError, ValueError for what this program cannot read, StoreAway."""


class Watched(NamedTuple):
    """A staging that is to be enforced. ``has_begun``: its first lease was granted at some time, so that one which is
    missing now was lost."""

    staging: str
    policy: str
    hash: str
    share: Share | None
    certificate: str
    has_begun: bool
    document: Policy

    @property
    def behaviour(self) -> Enforcement:
        """What the policy says of its enforcement."""
        return self.document.spec.enforcement

    @property
    def keep_ms(self) -> int:
        """How long a check keeps its estimate reserved."""
        return self.behaviour.reserve_for_ms

    @property
    def is_closed(self) -> bool:
        """Whether a fault of ours refuses a call."""
        return self.behaviour.fail_mode == "closed"


class Matcher:
    """Says which of a tenant's stagings look at a call, with nothing but the policies."""

    def __init__(self, tenant: str, watched: Sequence[Watched], policies: Mapping[str, Policy]) -> None:
        stagings = tuple(Staging(each.staging, each.policy, each.hash, "enforced", 0) for each in watched)
        self._judge = Tenant(tenant, TenantDocument(stagings=stagings), policies)

    def looking(self, event: Event) -> set[str]:
        """The stagings whose scope holds the call."""
        calls = Calls()
        calls.add_message(0, time_ms(datetime.now(UTC)), [0], [event])
        rules = self._judge.prepare(calls).batch.pairs["rule"]
        policies = set(self._judge.program.rules.rows["policy"][rules].tolist())
        self._judge.forget()
        return {self._judge.program.stagings[policy].staging for policy in policies}


class _Tenant(NamedTuple):
    said: tuple[Enforced, ...]
    watched: Mapping[str, Watched]
    matcher: Matcher


@dataclass
class FlagWatch:
    """The flag as read last. ``clock``: monotonic seconds."""

    database: Database
    policies: Policies
    clock: Callable[[], float] = time.monotonic
    _tenants: Mapping[str, _Tenant] = field(default_factory=dict)
    _read_s: float = float("-inf")

    @property
    def is_stale(self) -> bool:
        """Whether it was not read for too long, which is off."""
        return self.clock() - self._read_s > BELIEVED_S

    def of(self, tenant: str) -> Mapping[str, Watched]:
        """What is to be enforced of a tenant, by staging, as it was read last."""
        found = self._tenants.get(tenant)
        return {} if found is None else found.watched

    def looking(self, event: Event) -> list[Watched]:
        """Of what is to be enforced of its tenant, what looks at a call and has it in its share."""
        found = self._tenants.get(event.tenant)
        if found is None:
            return []
        looking = found.matcher.looking(event)
        return [each for name, each in found.watched.items() if name in looking and in_share(each.share, name, event)]

    async def keep(self) -> None:
        """Read on, until it is cancelled: in a thread of its own, for a loop that is busy would be late to read, and
        what is read late is off."""
        stopping = threading.Event()
        threading.Thread(target=self._keep, args=[stopping], name="flag", daemon=True).start()
        try:
            await asyncio.Event().wait()
        finally:
            stopping.set()

    def _keep(self, stopping: threading.Event) -> None:
        while not stopping.wait(EVERY_S):
            try:
                self.read()
            except StoreAway as error:
                log.warning("the flag cannot be read, which is off: %s", error)
            except Exception as error:  # noqa: BLE001 - the next look may do better; until then it is off
                log.error("the flag cannot be read, which is off: %s", type(error).__name__)

    def read(self) -> None:
        """Read once. Raises StoreAway."""
        begun = self.clock()
        with self.database.read() as connection:
            view = read_flags(connection)
        said = {tenant: view.enforced(tenant) for tenant in view.stagings}
        self._tenants = {tenant: self._made(tenant, each) for tenant, each in said.items() if each}
        self._read_s = begun

    def _made(self, tenant: str, said: tuple[Enforced, ...]) -> _Tenant:
        known = self._tenants.get(tenant)
        if known is not None and known.said == said:
            return known
        policies = {hash_: found for each in said for hash_, found in self._policy(tenant, each).items()}
        watched = [
            Watched(
                each.staging, each.policy, each.hash, each.share, each.certificate_id, each.begun_ms is not None,
                policies[each.hash],
            )
            for each in said
            if each.certificate_id is not None and each.hash in policies
        ]  # fmt: skip
        return _Tenant(said, {each.staging: each for each in watched}, Matcher(tenant, watched, policies))

    def _policy(self, tenant: str, said: Enforced) -> Mapping[str, Policy]:
        """What a staging is of, by hash. What this program cannot read is off, and no other with it: another one, newer
        than this, may have written it."""
        try:
            return {said.hash: self.policies(tenant, [said.hash])[said.hash]}
        except (LookupError, ValueError) as error:
            log.error("%s (%s) cannot be read, which is off: %s", said.policy, said.staging, type(error).__name__)
            return {}
