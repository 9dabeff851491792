"""The shadow agent: every event of the log gets its would-be decision, and nothing is blocked.

An event's whole way is ``handle`` and ``_judge``. A crash between any two lines loses nothing and counts nothing
twice: before ``apply`` the step is judged again from the same counters and yields the same decisions under the same
ids; after it the mark skips the step. Any failure drops the cache and begins again at the read.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from agents import metrics, policy_metrics
from agents.activation import Activator
from agents.delivery import Fatal, Message, Transient
from agents.faults import fault_point
from agents.outlet import Outlet
from agents.partition import MarkMoved, PartitionJudge
from agents.policies import Documents
from agents.rebuild import REFUSED, Rebuild
from agents.restore import restored
from agents.steps import Step, instant, steps
from agents.trust import Trust
from spendgate.model.topics import Topic
from window_counters.documents import NotOfTheMark, document_names
from window_counters.keys import prefix_of
from window_counters.protocol import WITHHELD, Change, CounterStore, PartitionId, Read, StoreUnavailable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shadow:
    """Judges the partitions that it is given; see ``agents.delivery.Handler``. ``judges`` is the cache."""

    topic: Topic
    topic_id: str
    store: CounterStore
    documents: Documents
    rebuild: Rebuild
    activator: Activator
    outlet: Outlet
    now: Callable[[], datetime]
    judges: dict[int, PartitionJudge]
    trusts: Trust

    async def handle(self, partition: int, messages: Sequence[Message]) -> None:
        """Judge a batch of one partition and make its effects durable."""
        while True:
            try:
                judge = self.judges.get(partition) or await self._open(partition)
                await self._catch_up(judge, messages[0].offset)
                for step in steps(self.topic, messages, judge.applied, self.trusts):  # 1 decode, 3 drop what is covered
                    await self._pass(judge, step, live=True)
                return
            except MarkMoved:
                log.warning("the mark of partition %d has moved: reading its counters again", partition)
                self.judges.pop(partition, None)
            except StoreUnavailable as error:
                self.judges.pop(partition, None)
                raise Transient(str(error), "store") from error
            except NotOfTheMark as error:
                raise self._not_of_the_mark(partition, error) from None
            except BaseException:
                self.judges.pop(partition, None)
                raise

    async def _pass(self, judge: PartitionJudge, step: Step, *, live: bool) -> None:
        if step.activation is not None:
            await self.activator.activate(judge, step, step.activation, live=live)
        else:
            await self._judge(judge, step, live=live)

    async def _judge(self, judge: PartitionJudge, step: Step, *, live: bool) -> None:
        """One step: read, decide, publish, apply."""
        begun = time.perf_counter()
        await fault_point("decoded")
        await self._admit(judge, step)
        work = judge.prepare(step)
        snapshot = await self.store.read(judge.id, judge.wanted(work))  # 2 the mark and the planned slots
        judge.require_mark(snapshot)
        await fault_point("read")
        outcome = judge.decide(step, work, snapshot, self.now(), live)  # 4
        await fault_point("decided")
        if live:
            await self.outlet.publish(judge.id.partition, outcome.decisions, step.rejections)  # 5
            await fault_point("published")
        if not await self.store.apply(judge.id, judge.mark, outcome.change):  # 6 counters and mark, or neither
            raise MarkMoved
        judge.moved(outcome.change.mark)
        await fault_point("applied")
        if live:  # 7 the caller acknowledges
            decisions = [decision for each in outcome.decisions.values() for decision in each]
            metrics.count(
                decisions, step.rejections, outcome.duplicates, outcome.annotations,
                instant(step.received_ms), self.now(), time.perf_counter() - begun,
            )  # fmt: skip

    async def _admit(self, judge: PartitionJudge, step: Step) -> None:
        """Read the documents of tenants that are not in the cache."""
        unknown = judge.unknown(step.calls)
        if not unknown:
            return
        snapshot = await self.store.read(judge.id, Read(tenants=document_names(unknown)))
        judge.require_mark(snapshot)
        for tenant in unknown:
            document = judge.document(snapshot, tenant)
            policies = await self.documents.require(staging.hash for staging in document.stagings)
            judge.admit(tenant, document, policies)

    def _not_of_the_mark(self, partition: int, error: NotOfTheMark) -> Fatal:
        """The end of a worker whose counters are a mixture: to judge on them would count twice what they hold."""
        keys = f"{prefix_of(self.topic.name, partition)}*"
        return Fatal(f"{error}: somebody changed the mark; delete {keys} and they are rebuilt from the log", REFUSED)

    async def _open(self, partition: int) -> PartitionJudge:
        """Begin a partition at the mark that the store has."""
        id_ = PartitionId(self.topic.name, partition)
        mark = (await self.store.read(id_, Read())).mark
        if mark == WITHHELD:
            raise Transient("the counters are being taken away by `spendgate counters rebuild`", "store")
        if mark is not None and mark.topic_id != self.topic_id:
            raise Fatal(
                f"the counters of {self.topic.name}/{partition} belong to a topic of another id: it was created anew; "
                "give the worker an empty Redis",
                REFUSED,
            )
        judge = self.judges[partition] = PartitionJudge(id_, self.topic_id, mark)
        if mark is not None:
            await self.rebuild.require(partition, mark.offset + 1)
        return judge

    async def _catch_up(self, judge: PartitionJudge, upto: int) -> None:
        """Apply what lies between the mark and offset ``upto`` again, publishing nothing: Redis is behind the log."""
        partition = judge.id.partition
        if judge.applied + 1 >= upto:
            return
        if judge.mark is None:
            judge.mark = await restored(self.store, self.rebuild.past, judge.id, self.topic_id, upto)
        start = judge.applied + 1
        log.warning("counters of partition %d are at %d, the log at %d: catching up", partition, start - 1, upto)
        async for step in self.rebuild.missed(partition, start, upto):
            await self._pass(judge, step, live=False)
            metrics.REBUILT.inc(sum(len(calls.events) for calls in step.calls.values()))
        await self._skip_to(judge, upto - 1)

    async def _skip_to(self, judge: PartitionJudge, last: int) -> None:
        """Move the mark over records that hold nothing to judge, which a ledger does not show."""
        if judge.applied < last:
            change = Change(mark=judge.mark_at(last))
            if not await self.store.apply(judge.id, judge.mark, change):
                raise MarkMoved
            judge.moved(change.mark)

    async def idle(self, partition: int) -> None:
        """Compare the mark with what was applied, so that a loss is mended before the next event comes.

        Of a partition that has been silent since it was assigned, what the group has committed was applied.
        """
        judge = self.judges.get(partition)
        try:
            upto = judge.applied + 1 if judge is not None else await self.rebuild.log.committed(partition)
            mark = (await self.store.read(PartitionId(self.topic.name, partition), Read())).mark
            if judge is None or mark != judge.mark:
                self.judges.pop(partition, None)
                await self._catch_up(await self._open(partition), upto)
        except (StoreUnavailable, MarkMoved) as error:
            self.judges.pop(partition, None)
            raise Transient(str(error) or "the mark has moved", "store") from error
        except NotOfTheMark as error:
            raise self._not_of_the_mark(partition, error) from None
        except BaseException:
            self.judges.pop(partition, None)
            raise

    async def assigned(self, partitions: frozenset[int]) -> None:
        """A new assignment: all of the cache is dropped."""
        self.judges.clear()

    async def revoked(self, partitions: frozenset[int]) -> None:
        """Partitions were given up."""
        self.judges.clear()
        policy_metrics.FULLEST.clear()
