"""Publishing to ``spend.policies`` and ``spend.events`` without the policy store: in development alone.

The order is the law: the document and the announcement are acknowledged before the activation is sent, so
that no worker meets an activation whose document is not there. What it ends is announced as ended after it.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace

from spendgate.model.activation import Activation, encode_activation
from spendgate.model.announcement import Announcement, Board, Document, record_of, superseded
from spendgate.model.canonical import canonical_bytes, policy_hash
from spendgate.model.policy import Policy

Did = Literal["staged", "unchanged", "ended"]


class Wire(Protocol):
    """Where records go."""

    def publish(self, topic: str, key: bytes, value: bytes) -> None:
        """Send one message and return once it is acknowledged."""


class Change(Struct, frozen=True, kw_only=True):
    """What was done about one staging; ``ends``: the stagings that it ended."""

    did: Did
    tenant: str
    policy: str
    hash: str
    staging: str
    ends: list[str] = []


def now_utc() -> datetime:
    """The clock."""
    return datetime.now(UTC)


def random_hex() -> str:
    """16 hex digits."""
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class Publisher:
    """Stages and ends. ``board``: the topic of policies as it was read; it is kept up with what is sent."""

    wire: Wire
    policies_topic: str
    events_topic: str
    board: Board
    now: Callable[[], datetime] = now_utc
    fresh: Callable[[], str] = random_hex

    def publish(self, policies: Sequence[Policy], tenant: str, *, again: bool, only: bool) -> list[Change]:
        """Stage each policy for the tenant; ``only``: and end the shadow stagings of all other policies.

        A version that is staged already is left as it is, unless ``again``.
        """
        changes = [self._stage(policy, tenant, again) for policy in policies]
        if only:
            names = {policy.metadata.name for policy in policies}
            others = [live for live in self.board.live(tenant) if live.policy not in names and live.stage == "shadow"]
            changes += self._end_all(others)
        return changes

    def end(self, policy: str, tenant: str) -> list[Change]:
        """End the tenant's shadow stagings of the policy."""
        return self._end_all(superseded(self.board.live(tenant), policy))

    def _stage(self, policy: Policy, tenant: str, again: bool) -> Change:
        name, version = policy.metadata.name, policy_hash(policy)
        ends = superseded(self.board.live(tenant), name)
        same = [live for live in ends if live.hash == version]
        if same and not again:
            return Change(did="unchanged", tenant=tenant, policy=name, hash=version, staging=same[-1].staging)
        staging = f"stg-{self.fresh()}"
        if version not in self.board.documents:
            self._post(Document(version, canonical_bytes(policy)))
        self._post(Announcement(tenant=tenant, staging=staging, policy=name, hash=version, state="staged"))
        ended = [live.staging for live in ends]
        self._activate(
            Activation(
                kind="activation",
                id=f"act-{self.fresh()}",
                tenant=tenant,
                time=self.now(),
                action="stage",
                staging=staging,
                policy=name,
                hash=version,
                ends=ended,
            )
        )
        self._announce_end(ends)
        return Change(did="staged", tenant=tenant, policy=name, hash=version, staging=staging, ends=ended)

    def _end_all(self, live: Iterable[Announcement]) -> list[Change]:
        changes = []
        for one in live:
            self._activate(
                Activation(
                    kind="activation",
                    id=f"act-{self.fresh()}",
                    tenant=one.tenant,
                    time=self.now(),
                    action="end",
                    staging=one.staging,
                )
            )
            self._announce_end([one])
            changes.append(
                Change(did="ended", tenant=one.tenant, policy=one.policy, hash=one.hash, staging=one.staging)
            )
        return changes

    def _announce_end(self, ends: Iterable[Announcement]) -> None:
        for one in ends:
            self._post(replace(one, state="ended"))

    def _post(self, entry: Document | Announcement) -> None:
        key, value = record_of(entry)
        self.wire.publish(self.policies_topic, key, value)
        self.board.take(key, value)

    def _activate(self, activation: Activation) -> None:
        self.wire.publish(self.events_topic, activation.tenant.encode(), encode_activation(activation))
