"""The ledger beside the log: what the topic no longer has, or has only among all other tenants' records."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from agents.delivery import Fatal, Transient
from agents.steps import Step
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.ledger_errors import LedgerAway, LedgerError, LedgerMissing, LedgerOvertaken
from spendgate.simulate.ledger_log import Gap, LedgerLog, Stretch

UNREADABLE = 3


@contextmanager
def told_of_ledger() -> Iterator[None]:
    """Turn what a ledger may raise into what delivery understands: wait for what passes, end for what does not."""
    try:
        yield
    except (LedgerAway, LedgerOvertaken) as error:
        raise Transient(str(error), "ledger") from None
    except LedgerError as error:
        raise Fatal(str(error), UNREADABLE) from None


class Past:
    """The ledger at ``root``, as far as it holds one topic. Read in threads, for it waits for its storage.

    Every method raises Transient while the storage is away, and Fatal where the ledger cannot be read.
    """

    def __init__(self, root: str, topic_id: str) -> None:
        self._root = root
        self._topic_id = topic_id

    async def log(self, partition: int) -> LedgerLog | None:
        """A partition's rows as they are now; None where the ledger holds none."""
        with told_of_ledger():
            found = await asyncio.to_thread(self._open, partition)
            return None if found is None or found.covered < 0 else found

    def _open(self, partition: int) -> LedgerLog | None:
        try:
            return LedgerLog(Ledger.open(self._root), self._topic_id, partition)
        except LedgerMissing:
            return None


async def steps_of(log: LedgerLog, first: int, last: int, tenant: str | None = None) -> AsyncIterator[Step]:
    """Offsets ``first`` to ``last``, both included, as steps like those of the log's own messages."""
    stretches = log.stretches(first, last, tenant)
    while True:
        with told_of_ledger():
            stretch = await asyncio.to_thread(_next, stretches)
        if stretch is None:
            return
        yield Step(stretch.last, stretch.received_ms, stretch.calls, stretch.activation)


def _next(stretches: Iterator[Stretch]) -> Stretch | None:
    return next(stretches, None)


def told(gap: Gap) -> str:
    """A gap in words."""
    parts = [f"begins at offset {gap.first}"] if gap.first else []
    return " and ".join([*parts, *([f"lacks {gap.missing} records"] if gap.missing else [])])
