"""The one place of this door that can block a call: it may turn an allow into deny or review, under a valid lease.

A staging is enforced for a call where the flag says so, as this process has read it within two seconds, and where Redis
holds a lease that the enforcement agent has signed and that is valid by Redis's own clock. A lease that was withdrawn
means allow. One that is missing, has ended or is of another state of Redis was lost by a fault: then the policy's fail
mode says whether the call goes on. Nothing else reaches here: ``check`` alone imports this.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from gateway_shadow.checks.flag_watch import FlagWatch, Watched
from gateway_shadow.checks.holding import Hold
from gateway_shadow.checks.ruling import ALLOWED, Blocks, Fault, Ruling
from policy_store.signing import Verifier
from spendgate.engine.enforcing import BLOCKS_FROM
from spendgate.model.check import CheckFault
from spendgate.model.decision import VERDICTS, Decision, Reason, Verdict
from spendgate.model.enforcement import in_share
from spendgate.model.event import Event
from spendgate.model.lease import FLAG_UNREAD, decode_lease, is_unread, signed_lease_bytes
from spendgate.model.lease import Lease as SignedLease
from window_counters.protocol import PartitionId, StoreUnavailable, StoreUnfit
from window_counters.reservations import Lease, Reservations

_MOST_KNOWN = 10_000


@dataclass
class Enforcer:
    """Rules on checks. ``verifier``: of the enforcement agents' public keys; without one nothing is ever enforced."""

    flags: FlagWatch
    reservations: Reservations
    partition: Callable[[str], PartitionId]
    verifier: Verifier | None
    _known: dict[bytes, SignedLease | None] = field(default_factory=dict)
    _giving_back: set["asyncio.Task[None]"] = field(default_factory=set)

    def hold(self, event: Event, approved: Iterable[str] = ()) -> Hold | None:
        """With what a check is to be judged: a reservation where something of the tenant is enforced."""
        watched = self.flags.of(event.tenant) if self.verifier is not None else {}
        return Hold(self.reservations, watched, event, frozenset(approved)) if watched else None

    async def keep_watching(self) -> None:
        """See Rules."""
        await self.flags.keep()

    def give_back(self, hold: Hold) -> None:
        """Give back, behind the answer, what was reserved for a call that is blocked. What cannot be expires."""
        if hold.answer is not None and hold.answer.outcome in ("refused", "asked"):
            return
        task = asyncio.get_running_loop().create_task(self._give_back(hold))
        self._giving_back.add(task)
        task.add_done_callback(self._giving_back.discard)

    async def _give_back(self, hold: Hold) -> None:
        with suppress(StoreUnavailable, StoreUnfit):
            await hold.release(self.partition(hold.event.tenant))

    def rule(self, hold: Hold | None, decision: Decision | None, fault: CheckFault | None) -> Ruling:
        """What becomes of a check that was judged with ``hold``; ``fault``: why it could not be judged."""
        if hold is None:
            return ALLOWED
        if self.flags.is_stale:
            return _ruling([], [], [Fault(each, FLAG_UNREAD) for each in self.flags.looking(hold.event)])
        if fault is not None or hold.answer is None:
            return _ruling([], [], [Fault(each, fault or "fault") for each in self.flags.looking(hold.event)])
        enforced, faults = self._sorted(hold, hold.answer.leases)
        faults += [Fault(each, "behind") for each in self._unknown(hold) if each.has_begun]
        names = {each.staging for each in enforced}
        reasons = [] if decision is None else [
            each for each in decision.reasons
            if each.staging in names and _blocks(each.verdict) and not hold.is_lifted(each.staging, each.verdict)
        ]  # fmt: skip
        return _ruling(enforced, reasons, faults)

    def _sorted(self, hold: Hold, leases: Mapping[str, Lease]) -> tuple[list[Watched], list[Fault]]:
        enforced: list[Watched] = []
        faults: list[Fault] = []
        for name, lease in leases.items():
            watched = hold.watched[name]
            signed = self._read(lease.text) if lease.state == "valid" else None
            if signed is not None and _is_of(signed, hold.event.tenant, watched):
                if in_share(signed.share, name, hold.event):
                    enforced.append(watched)
            elif lease.state == "valid":
                faults.append(Fault(watched, "forged"))
            elif lease.state == "withdrawn":
                if is_unread(lease.text):
                    faults.append(Fault(watched, FLAG_UNREAD))
            elif watched.has_begun:
                faults.append(Fault(watched, lease.state))
        return enforced, faults

    def _unknown(self, hold: Hold) -> Iterator[Watched]:
        """What looks at the call and is not enforced by the counters' own document: they have lost it."""
        if hold.watched.keys() - hold.enforced_in_document:
            for each in self.flags.looking(hold.event):
                if each.staging not in hold.enforced_in_document:
                    yield each

    def _read(self, text: bytes) -> SignedLease | None:
        """A lease that an agent has signed; None for anything else. The same text is verified once."""
        if text not in self._known:
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
            self._known[text] = self._verified(text)
        return self._known[text]

    def _verified(self, text: bytes) -> SignedLease | None:
        try:
            lease = decode_lease(text)
        except msgspec.DecodeError:
            return None
        is_signed = self.verifier is not None and self.verifier.has_signed(signed_lease_bytes(lease), lease.signature)
        return lease if is_signed else None


def _is_of(lease: SignedLease, tenant: str, watched: Watched) -> bool:
    """Whether a lease is of this very staging. Its share and its certificate may be a moment behind the flag."""
    return (lease.tenant, lease.staging, lease.hash) == (tenant, watched.staging, watched.hash)


def _blocks(verdict: Verdict) -> bool:
    return VERDICTS.index(verdict) >= BLOCKS_FROM


def _ruling(enforced: Sequence[Watched], reasons: Sequence[Reason], faults: Sequence[Fault]) -> Ruling:
    """The worst that enforced stagings say; else a refusal where a fault met a closed policy. A flag that cannot be
    read is off, for closed policies too."""
    blocked: Blocks | None = None
    if any(each.verdict == "deny" for each in reasons):
        blocked = "deny"
    elif reasons:
        refuses = {each.staging for each in enforced if each.behaviour.on_review == "refuse"}
        blocked = "deny" if any(each.staging in refuses for each in reasons) else "review"
    elif any(each.watched.is_closed and each.why != FLAG_UNREAD for each in faults):
        blocked = "deny"
    return Ruling(blocked, tuple(reasons), tuple(enforced), tuple(faults))
