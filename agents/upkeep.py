"""What a ledger needs from time to time: checkpoints, small files joined, old ones deleted."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from agents import ledger_metrics as metrics
from agents.delivery import Transient
from agents.pacing import Timer
from agents.past import told
from agents.policies import Documents
from spendgate.engine.decisions import Source
from spendgate.ledger.activation_rows import checkpoint_batch_of
from spendgate.ledger.delta_compact import compact, prune_checkpoints, vacuum
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_tables import TableName
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.ledger.ledger_errors import LedgerError, LedgerMissing, LedgerOvertaken
from spendgate.model.policy import Policy
from spendgate.simulate.checkpoints import checkpoint_rows
from spendgate.simulate.ledger_log import LedgerLog

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Upkeep:
    """Of the tables that one agent writes; ``tables[0]`` is the one whose offset counts.

    ``documents``: where an agent that makes checkpoints finds policies; None for one that makes none. Nothing here
    keeps records waiting: it is looked at while a partition is idle or between batches, and runs beside them, one thing
    at a time. What is due meanwhile takes its turn: a partition that is looked at before the others could otherwise
    keep them from theirs for ever.
    """

    root: str
    topic: str
    topic_id: str
    tables: tuple[TableName, ...]
    documents: Documents | None = None
    timer: Timer = field(default_factory=Timer)
    now_s: Callable[[], float] = time.monotonic
    _done: dict[str, float] = field(default_factory=dict)
    _begun: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)
    _turns: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def main_table(self) -> TableName:
        """The table whose covered offset says what is recorded."""
        return self.tables[0]

    async def look_after(self, partition: int) -> None:
        """Begin what is due; raises what the last of it raised."""
        for what, task in list(self._begun.items()):
            if task.done():
                del self._begun[what]
                task.result()
        self._begin("compact", self.timer.compact_s, self._tidy)
        if self.documents is not None:
            make = partial(self._checkpoint, partition, self.documents)
            self._begin(f"checkpoint {partition}", self.timer.checkpoint_s, make)
        self._begin("vacuum", self.timer.vacuum_s, self._vacuum)

    def _begin(self, what: str, every_s: float, work: Callable[[], Awaitable[None]]) -> None:
        """Have it done in its turn, if it is due and does not wait for that yet."""
        if what not in self._begun and self._is_due(what, every_s):
            self._begun[what] = asyncio.create_task(self._in_turn(work))

    async def _in_turn(self, work: Callable[[], Awaitable[None]]) -> None:
        async with self._turns:
            await work()

    def _is_due(self, what: str, every_s: float) -> bool:
        """Whether it is time; the first time comes one interval after the first question."""
        now = self.now_s()
        if not every_s or now - self._done.setdefault(what, now) < every_s:
            return False
        self._done[what] = now
        return True

    async def _tidy(self) -> None:
        for table in self.tables:
            joined = await self._tried(compact, self.root, table)
            metrics.UPKEEP.labels("joined").inc(joined.before if joined is not None else 0)
        if self.documents is not None:
            metrics.UPKEEP.labels("pruned").inc(await self._tried(prune_checkpoints, self.root) or 0)

    async def _vacuum(self) -> None:
        for table in self.tables:
            gone = await self._tried(vacuum, self.root, table, keep_hours=self.timer.keep_hours)
            metrics.UPKEEP.labels("deleted").inc(len(gone or ()))

    async def _tried(self, work: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Do it in a thread; what cannot be done now is done the next time."""
        try:
            return await asyncio.to_thread(work, *arguments, **options)
        except (LedgerMissing, LedgerOvertaken):
            return None
        except LedgerError as error:
            log.warning("upkeep of the ledger is put off: %s", error)
            return None

    async def _checkpoint(self, partition: int, documents: Documents) -> None:
        """Make a checkpoint of what the ledger has of a partition."""
        begun = time.perf_counter()
        try:
            past, hashes = await asyncio.to_thread(self._open, partition)
            if past.gap is not None:
                log.warning("no checkpoint of partition %d: the ledger %s", partition, told(past.gap))
                return
            policies = await documents.require(hashes)
            rows = await asyncio.to_thread(self._write, past, partition, policies)
        except (Transient, LedgerError) as error:
            log.warning("the checkpoint of partition %d is put off: %s", partition, error)
        else:
            if rows:
                log.info("checkpoint of partition %d: %d tenants", partition, rows)
                metrics.CHECKPOINT.observe(time.perf_counter() - begun)

    def _open(self, partition: int) -> tuple[LedgerLog, set[str]]:
        """A partition's rows, and the hashes of the policies that they name."""
        past = LedgerLog(Ledger.open(self.root), self.topic_id, partition)
        return past, past.hashes()

    def _write(self, past: LedgerLog, partition: int, policies: Mapping[str, Policy]) -> int:
        source = Source(self.topic, self.topic_id, partition)
        rows = checkpoint_rows(past, source, policies, datetime.now(UTC))
        if rows:
            batch = checkpoint_batch_of(rows)
            LedgerTable(self.root).append("checkpoints", [batch], (self.topic_id, partition), past.covered)
        return len(rows)
