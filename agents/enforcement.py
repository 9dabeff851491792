"""The enforcement agent: renews the leases of what is to be enforced, and counts what would be where it is not.

Twice a second, for every partition that it has, ``_round``: beat, look at the flag, at the certificate and at what the
log has made of the staging, and grant. Whatever of that fails, nothing is granted, and two seconds later nothing is
enforced. From the decisions of its partitions it counts the calls that enforcing would have blocked, and why it did
not.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from agents import enforcement_metrics as metrics
from agents.actuator import Actuator, Enforced
from agents.delivery import Message
from agents.flag import FlagReader
from agents.log_ends import LogEnds
from agents.publishing import Publisher
from agents.telling import Teller
from agents.would_block import would_block
from policy_store.database import Database
from policy_store.errors import Refused, StoreAway
from policy_store.signing import read_key_file
from spendgate.engine.staging import settings_of
from spendgate.model.decision import Decision, read_decisions
from spendgate.model.enforcement_record import Enforcement, EnforcementKind
from spendgate.model.money import MAX_COST_NANO_USD
from spendgate.model.partition import partition_of
from spendgate.model.topics import Topic, Topics
from spendgate.reconcile.public_keys import BadKey, PublicKeys
from telemetry.lasting import lasting
from window_counters.documents import NotOfTheMark, document_names, document_of
from window_counters.leases import Beat, Leases
from window_counters.protocol import PartitionId, Read, StoreUnavailable, StoreUnfit
from window_counters.redis_store import RedisStore

log = logging.getLogger(__name__)

EVERY_S = 0.5
FENCED = "another agent has the partition"


class Place(NamedTuple):
    """A staging of a tenant."""

    tenant: str
    staging: str


class _Found(NamedTuple):
    """What is to be enforced, and what is not, and why."""

    wanted: dict[Place, Enforced]
    off: dict[Place, str]


@dataclass
class _Partition:
    """What the agent knows of a partition: its last beat, when that was and when the counters were last level with the
    log (both by Redis's clock), whether reservations may have been lost, what it holds leases for, and since when what
    of that was not in the log (monotonic seconds)."""

    id: PartitionId
    number: int = 0
    beaten_ms: int = 0
    fresh_ms: int = 0
    is_doubted: bool = False
    held: dict[Place, Enforced] = field(default_factory=dict)
    missed_s: dict[Place, float] = field(default_factory=dict)


@dataclass
class EnforcementAgent:
    """Looks after the partitions that it is given; see ``agents.delivery.Handler``. ``events``: the log's topic."""

    events: Topic
    store: RedisStore
    actuator: Actuator
    flag: FlagReader
    ends: LogEnds
    teller: Teller
    clock: Callable[[], float] = time.monotonic
    partitions: dict[int, _Partition] = field(default_factory=dict)
    _beating: "asyncio.Task[None] | None" = None

    async def handle(self, partition: int, messages: Sequence[Message]) -> None:
        """Count what would have been blocked, and why it was not."""
        counts = would_block(_decisions(messages), self.flag.why_not)
        await self.teller.write([
            _record(
                "would_block", tenant, staging, policy, verdict=verdict, why=why, calls=calls,
                estimate_nano_usd=min(cost, MAX_COST_NANO_USD),
            )
            for (tenant, staging, policy, verdict, why), calls, cost in counts
        ])  # fmt: skip
        for blocked, calls, _ in counts:
            metrics.WOULD_BLOCK.labels(blocked.verdict, blocked.why).inc(calls)

    async def idle(self, partition: int) -> None:
        """Nothing: leases are renewed whether or not there are decisions."""

    async def assigned(self, partitions: frozenset[int]) -> None:
        """Look after exactly these from now on."""
        self.partitions = {
            number: self.partitions.get(number) or _Partition(PartitionId(self.events.name, number))
            for number in partitions
        }
        if self._beating is None:
            self._beating = asyncio.create_task(self._keep_beating())

    async def revoked(self, partitions: frozenset[int]) -> None:
        """Somebody else looks after them now, and renews their leases or lets them end."""
        for number in partitions:
            self.partitions.pop(number, None)

    async def _keep_beating(self) -> None:
        beside = [
            lasting("where the log ends", self.ends.keep), lasting("the flag", self.flag.keep),
            lasting("enforcement records", self.teller.keep),
        ]  # fmt: skip
        try:
            while True:
                await asyncio.gather(*map(self._beat, list(self.partitions.values())))
                metrics.LEASES.set(sum(len(each.held) for each in self.partitions.values()))
                metrics.FLAG_AGE.set(self.flag.age_s())
                metrics.RESERVED_DOUBTED.set(sum(each.is_doubted for each in self.partitions.values()))
                await asyncio.sleep(EVERY_S)
        finally:
            for task in beside:
                task.cancel()

    async def _beat(self, partition: _Partition) -> None:
        """One round of a partition; whatever goes wrong, its leases end by themselves."""
        try:
            await self._round(partition)
        except (StoreUnavailable, StoreUnfit, NotOfTheMark) as error:
            log.warning("partition %d: leases are not renewed: %s", partition.id.partition, error)
            self._lose(partition, "redis_away")
        except Exception as error:  # noqa: BLE001 - nothing is enforced by it, and the next round may do better
            log.error("partition %d: leases are not renewed: %s", partition.id.partition, type(error).__name__)
            self._lose(partition, "fault")

    async def _round(self, partition: _Partition) -> None:
        if not self.flag.is_known:
            return
        end = self.ends.ends.get(partition.id.partition)
        longest_ms = self.flag.longest_ms(lambda tenant: self._is_of(partition, tenant))
        beat, answered_s = await self.actuator.beat(partition.id, partition.number, longest_ms), self.clock()
        partition.number = 0 if beat.is_fenced else beat.number
        if beat.is_fenced:
            self._lose(partition, FENCED)
            return
        if beat.why and beat.now_ms < beat.safe_from_ms:
            self._doubt(partition, beat)
        if beat.now_ms < partition.beaten_ms:  # Redis's clock was set back: what was fresh by it lies ahead
            partition.fresh_ms = 0
        partition.beaten_ms = beat.now_ms
        applied = -1 if beat.mark is None else beat.mark.offset
        if end is not None and applied + 1 >= end.offset:
            # Level with the log as it was when its end was asked for, or earlier: the answer was some time on its way.
            partition.fresh_ms = max(partition.fresh_ms, beat.now_ms - math.ceil((answered_s - end.at_s) * 1000))
            await self._expire(partition, end.offset - 1)
        await self._renew(partition, beat)

    async def _renew(self, partition: _Partition, beat: Beat) -> None:
        # Nothing begins on counters that were never level with the log, or where a reservation may have been lost.
        partition.is_doubted = beat.now_ms < beat.safe_from_ms
        ready, looked_s = partition.fresh_ms > 0 and not partition.is_doubted, self.clock()
        found = await self._looked_up(partition)
        wanted = {place: each for place, each in found.wanted.items() if ready or place in partition.held}
        unsure = self._unsure(partition, found, looked_s)
        await self._take_back(partition, beat, found, unsure)
        if wanted and not await self.actuator.grant(partition.id, beat, list(wanted.values()), partition.fresh_ms):
            self._lose(partition, FENCED)
            return
        self.teller.tell([self._told("granted", each) for place, each in wanted.items() if place not in partition.held])
        told, partition.held = {place.tenant for place in (*wanted, *partition.held)}, wanted | unsure
        if wanted:
            with contextlib.suppress(StoreAway):  # it is noted in a later round
                await asyncio.to_thread(self.flag.note_begun, list(wanted.values()))
        for tenant in told:
            await self.actuator.say(tenant, self.flag.words(tenant))

    def _unsure(self, partition: _Partition, found: _Found, looked_s: float) -> dict[Place, Enforced]:
        """What is held and is not enforced by the counters' own document, while the flag was read before that: what
        turned it off may have come through the log first."""
        gone = {
            place: each
            for place, each in partition.held.items()
            if place not in found.wanted and place not in found.off
        }
        partition.missed_s = {place: partition.missed_s.get(place, looked_s) for place in gone}
        return {
            place: each for place, each in gone.items()
            if self.flag.why_not(*place) is None and self.flag.read_s <= partition.missed_s[place]
        }  # fmt: skip

    async def _take_back(
        self, partition: _Partition, beat: Beat, found: _Found, unsure: Mapping[Place, Enforced]
    ) -> None:
        """End at once what is off. What is on, but is not enforced by the counters' own document, has lost it: its
        lease ends by itself, so that nobody takes that for off."""
        gone = {
            place: each for place, each in partition.held.items() if place not in found.wanted and place not in unsure
        }
        off = {place: why for place in gone if (why := self.flag.why_not(*place) or found.off.get(place)) is not None}
        if off:
            await self.actuator.withdraw(partition.id, beat.now_ms, off.items())
        self.teller.tell([
            self._told("withdrawn" if place in off else "lost", each, off.get(place, "not_in_log"))
            for place, each in gone.items()
        ])  # fmt: skip

    async def _looked_up(self, partition: _Partition) -> _Found:
        """What the flag says is to be enforced of the partition's tenants, and the log has made enforced; what of that
        was certified under other settings than those in force is off."""
        said = self._on(partition)
        tenants, found = list(dict.fromkeys(each.tenant for each in said)), _Found({}, {})
        if not tenants:
            return found
        snapshot = await self.store.read(partition.id, Read(tenants=document_names(tenants)))
        documents = {tenant: document_of(snapshot, tenant) for tenant in tenants}
        for each in said:
            document = documents[each.tenant]
            if (each.staging, each.hash, "enforced") not in {(s.staging, s.hash, s.stage) for s in document.stagings}:
                continue
            if settings_of(document).model_dump() == self.flag.settings(each):
                found.wanted[Place(each.tenant, each.staging)] = each
            else:
                found.off[Place(each.tenant, each.staging)] = "certificate_other_settings"
        return found

    def _on(self, partition: _Partition) -> list[Enforced]:
        """What the flag says is to be enforced of the partition's tenants."""
        return [each for each in self.flag.enforced() if self._is_of(partition, each.tenant)]

    def _is_of(self, partition: _Partition, tenant: str) -> bool:
        return partition_of(tenant.encode(), self.events.partitions) == partition.id.partition

    async def _expire(self, partition: _Partition, applied: int) -> None:
        """End reservations whose calls have not reported: their deadline was before the log's end was read, and all
        that stood on the log then is counted."""
        for tenant in dict.fromkeys(place.tenant for place in partition.held):
            ended = await self.store.reservations.expire(partition.id, tenant, partition.fresh_ms, applied)
            for each in ended or ():
                stagings = {counter.partition(" ")[0] for counter in each.amounts_nano_usd}
                amount = max(each.amounts_nano_usd.values(), default=0)
                self.teller.tell([
                    self._told("expired", held, check_id=each.check, estimate_nano_usd=amount)
                    for place, held in partition.held.items()
                    if place.tenant == tenant and place.staging in stagings
                ])  # fmt: skip

    def _lose(self, partition: _Partition, why: str) -> None:
        lost, partition.held = partition.held, {}
        self.teller.tell([self._told("lost", each, why) for each in lost.values()])

    def _doubt(self, partition: _Partition, beat: Beat) -> None:
        """Tell it of all that is on, held or not: what was lost a moment before, or granted by an earlier agent, has
        reservations, too."""
        doubted = {Place(each.tenant, each.staging): each for each in self._on(partition)} | partition.held
        if doubted:
            log.warning(
                "partition %d: reservations may have been lost (%s): enforced checks follow their fail mode for %d s",
                partition.id.partition, beat.why, (beat.safe_from_ms - beat.now_ms) // 1000,
            )  # fmt: skip
        self.teller.tell([self._told("doubted", each, beat.why) for each in doubted.values()])

    def _told(self, kind: EnforcementKind, each: Enforced, why: str | None = None, **said: Any) -> Enforcement:
        metrics.CHANGES.labels(kind).inc()
        about = {"certificate": each.certificate, "share": each.share, "why": why, **said}
        return _record(kind, each.tenant, each.staging, each.policy, **about)


def _decisions(messages: Sequence[Message]) -> Iterator[Decision]:
    for message in messages:
        if message.value is not None and (b'"deny"' in message.value or b'"review"' in message.value):
            found = read_decisions(message.value)
            if found is None:
                log.warning("partition %d: a message holds no decisions", message.partition)
            yield from found or ()


def _record(kind: EnforcementKind, tenant: str, staging: str, policy: str, **said: Any) -> Enforcement:
    return Enforcement(kind=kind, tenant=tenant, time=datetime.now(UTC), staging=staging, policy=policy, **said)


def enforcement_agent(
    topics: Topics, store: RedisStore, database: Database, store_keys: Sequence[str], key_file: Path,
    publisher: Publisher, *, kafka: str, auth: Mapping[str, Any], name: str,
) -> EnforcementAgent:  # fmt: skip
    """The agent, wired, for the composition root. Raises Refused for a key that cannot be read."""
    actuator = Actuator(Leases(store.client), read_key_file(key_file), name)
    try:
        keys = PublicKeys(list(store_keys))
    except BadKey as error:
        raise Refused("bad_key", f"SPENDGATE_STORE_KEYS: {error}") from None
    ends = LogEnds(kafka, topics.events.name, lambda: list(agent.partitions), auth)
    teller = Teller(publisher, topics.enforcements)
    agent = EnforcementAgent(topics.events, store, actuator, FlagReader(database, keys), ends, teller)
    return agent
