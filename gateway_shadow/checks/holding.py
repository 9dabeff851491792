"""Reading counters for an enforced check: the estimate is reserved in the same call of Redis, or the caps refuse it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway_shadow.checks.flag_watch import Watched
from spendgate.engine.enforcing import BLOCKS_FROM, Gate, fixed_verdicts, gates
from spendgate.engine.preview import Preview
from spendgate.model.decision import VERDICTS, Verdict
from spendgate.model.enforcement import in_share
from spendgate.model.event import Event
from window_counters.protocol import Look, PartitionId, Sums
from window_counters.reservations import Answer, Ask, Claim, Limit, Reservations, Standing

STALE_MS = 10_000
"""How long ago the counters may have been level with the log; what is older is a fault."""


class Claimed(NamedTuple):
    """What is the same in every enforced check of a class of calls. ``stagings``: all of its tenant that are enforced
    by the record of the log."""

    claim: Claim
    gates: Sequence[Gate]
    stagings: frozenset[str]


def claimed(preview: Preview, look: Look) -> Claimed:
    """Of calls that a preview is for."""
    judge = preview.judge
    enforced = [each.staging for each in judge.program.stagings if each.stage == "enforced"]
    found = gates(preview, enforced)
    limits = [
        Limit(each.staging, str(each.rule), each.key, each.cap_nano_usd, each.window, each.breach == "review")
        for each in found
    ]
    return Claimed(Claim(judge.name, look, enforced, limits), found, frozenset(enforced))


@dataclass
class Hold:
    """One check's reservation. ``watched``: by staging, what the flag says is enforced of the tenant. ``approved``:
    stagings whose review of this very call a person has approved.

    Found by ``sums``: which stagings are ``enforced_in_document``, that is by the record of the log; and Redis's
    ``answer``.
    """

    reservations: Reservations
    watched: Mapping[str, Watched]
    event: Event
    approved: Collection[str] = ()
    enforced_in_document: Collection[str] = ()
    answer: Answer | None = None
    _gates: Sequence[Gate] = ()
    _keys: Sequence[str] = ()

    async def sums(
        self, partition: PartitionId, preview: Preview, claimed: Claimed, keys: Sequence[str], at_ms: int
    ) -> Sums:
        """What a preview needs of a call with these keys, what others have reserved counted as spent. Raises
        StoreUnavailable, StoreUnfit."""
        self.enforced_in_document, self._gates, self._keys = claimed.stagings, claimed.gates, keys
        fixed = fixed_verdicts(preview.judge, preview.batch(self.event, at_ms))
        asked = [name for name in claimed.claim.stagings if name in fixed and self._is_asked(name)]
        standings = [
            self._standing(name, fixed[name]) if name in asked else Standing.ASIDE for name in claimed.claim.stagings
        ]
        keep_ms = max((self.watched[name].keep_ms for name in asked), default=0)
        self.answer = await self.reservations.ask(
            partition,
            Ask(self.event.id, claimed.claim, keys, standings, self.event.cost_nano_usd, keep_ms, STALE_MS),
        )
        sums = list(self.answer.found.sums)
        for gate, amount in zip(self._gates, self.answer.reserved_nano_usd, strict=True):
            sums[2 * gate.window] += amount
        return self.answer.found._replace(sums=sums)

    def _is_asked(self, staging: str) -> bool:
        watched = self.watched.get(staging)
        return watched is not None and in_share(watched.share, staging, self.event)

    def _standing(self, staging: str, verdict: Verdict) -> Standing:
        """``verdict``: the worst that no counter has a say in."""
        if VERDICTS.index(verdict) >= BLOCKS_FROM and not self.is_lifted(staging, verdict):
            return Standing.BLOCKS
        return Standing.APPROVED if staging in self.approved else Standing.ASKED

    def is_lifted(self, staging: str, verdict: Verdict) -> bool:
        """Whether a person has approved what the staging wanted reviewed."""
        return verdict == "review" and staging in self.approved

    def with_reserved(
        self, wanted: Mapping[str, Sequence[str]], cells: Mapping[str, Sequence[int]]
    ) -> dict[str, Sequence[int]]:
        """The values of ``cells``, with what other checks have reserved added to the call's own cell of each budget."""
        found = dict(cells)
        reserved = self.answer.reserved_nano_usd if self.answer is not None else ()
        for gate, amount in zip(self._gates, reserved, strict=True):
            if amount and gate.slot in found:
                values = list(found[gate.slot])
                values[list(wanted[gate.slot]).index(gate.head + self._keys[gate.key])] += amount
                found[gate.slot] = values
        return found

    async def release(self, partition: PartitionId) -> None:
        """Give the reservation back: the call will not be made."""
        await self.reservations.release(partition, self.event.tenant, [self.event.id])
