"""The ledger agent: what stands on a topic becomes rows of the ledger, each exactly once.

A batch's whole way is ``handle``: messages become rows in a book, and when the book is due its rows are committed
together with the offset that they reach. What the group has committed may be ahead of that, by an open book; whoever
opens a partition begins at what the ledger covers and reads the difference from the topic again. So a kill between any
two lines loses nothing and doubles nothing.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agents import ledger_metrics as metrics
from agents.books import Book
from agents.delivery import Message
from agents.faults import fault_point
from agents.log import Log
from agents.pacing import Pace
from agents.past import told_of_ledger
from agents.upkeep import Upkeep
from spendgate.ledger.delta_writer import LedgerTable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LedgerAgent:
    """Records the partitions that it is given; see ``agents.delivery.Handler``. ``books`` is the cache."""

    topic_id: str
    log: Log
    table: LedgerTable
    open_book: Callable[[int, int], Book]
    upkeep: Upkeep
    pace: Pace = field(default_factory=Pace)
    now_s: Callable[[], float] = time.monotonic
    books: dict[int, Book] = field(default_factory=dict)
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def handle(self, partition: int, messages: Sequence[Message]) -> None:
        """Take a batch of one partition into its book, and commit the book if it is due."""
        try:
            book = self.books.get(partition) or await self._open(partition)
            await self._catch_up(book, messages[0].offset)
            book.take(messages, self.now_s())
            await self._commit_if_due(book)
        except BaseException:
            self.books.pop(partition, None)
            raise
        await self.upkeep.look_after(partition)

    async def idle(self, partition: int) -> None:
        """Commit what is due; record what the group has passed and the ledger has not."""
        try:
            book = self.books.get(partition)
            if book is None:
                upto = await self.log.committed(partition)
                book = await self._open(partition)
                await self._catch_up(book, upto)
            await self._commit_if_due(book)
        except BaseException:
            self.books.pop(partition, None)
            raise
        await self.upkeep.look_after(partition)

    async def assigned(self, partitions: frozenset[int]) -> None:
        """A new assignment: what was not committed is read again by whoever has the partition now."""
        self.books.clear()

    async def revoked(self, partitions: frozenset[int]) -> None:
        """Commit what is at hand, so that the next owner has nothing to read again; if that fails, it reads it."""
        for partition in sorted(partitions & self.books.keys()):
            book = self.books.pop(partition)
            try:
                await self._commit(book)
            except Exception as error:  # noqa: BLE001 - nothing is lost by it, and the partition has to be given up
                log.warning("partition %d: given up without a last commit: %s", partition, error)

    async def _open(self, partition: int) -> Book:
        """A book that begins after what the ledger covers."""
        with told_of_ledger():
            async with self.writing:
                covered = await asyncio.to_thread(self._covered, partition)
            book = await asyncio.to_thread(self.open_book, partition, covered)
        self.books[partition] = book
        return book

    def _covered(self, partition: int) -> int:
        return self.table.covered(self.upkeep.main_table, self.topic_id, partition)

    async def _catch_up(self, book: Book, upto: int) -> None:
        """Take what lies between the book and offset ``upto`` from the topic, as far as the topic still has it."""
        start = book.taken + 1
        if start >= upto:
            return
        begin, _ = await self.log.bounds(book.partition)
        if begin > start:
            log.critical(
                "partition %d: records %d to %d have passed their retention before they were recorded: "
                "`spendgate ledger verify` will show the gap", book.partition, start, begin - 1,
            )  # fmt: skip
        async for messages in self.log.read(book.partition, max(start, begin), upto):
            book.take(messages, self.now_s())
            await self._commit_if_due(book)

    async def _commit_if_due(self, book: Book) -> None:
        if book.rows >= self.pace.rows or book.age_s(self.now_s()) >= self.pace.seconds:
            await self._commit(book)

    async def _commit(self, book: Book) -> None:
        """Append the book's rows, table by table, in one commit each."""
        if book.first is None:
            return
        begun = time.perf_counter()
        await fault_point("booked")
        for page in book.pages():
            with told_of_ledger():
                async with self.writing:
                    done = await asyncio.to_thread(
                        self.table.append, page.table, page.batches, (self.topic_id, book.partition), book.taken,
                        first_offset=page.first_offset,
                    )  # fmt: skip
            metrics.ROWS.labels(page.table).inc(done.rows)
            await fault_point(f"recorded-{page.table}")
        metrics.COMMIT.observe(time.perf_counter() - begun)
        book.clear()
