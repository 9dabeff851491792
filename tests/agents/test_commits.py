"""What was not committed is tried again: Faust takes a refused commit, or one without an answer, for done."""

import logging
from collections import defaultdict
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from faust.types import TP

from agents.faust_private import Consumer, ConsumerThread

PLACE, OTHER = TP("topic", 0), TP("topic", 1)


class Bare(Consumer):
    """A consumer without a broker; ``answers``: whether each commit succeeds."""

    in_transaction = False

    def __init__(self, answers: list[bool]) -> None:
        self.answers = answers
        self.asked: list[dict[TP, int]] = []
        self.log: Any = MagicMock(spec=logging.Logger, dev=MagicMock())
        self.app: Any = SimpleNamespace(
            producer=SimpleNamespace(flush=AsyncMock()),
            tables=MagicMock(),
            monitor=MagicMock(),
            _attachments=SimpleNamespace(publish_for_tp_offset=AsyncMock(return_value=None)),
        )
        self._committed_offset: Any = defaultdict(lambda: None)
        self._acknowledged = {PLACE: 5}
        self.epoch = 0

    def assignment(self) -> set[TP]:
        return {PLACE, OTHER}

    async def _commit(self, offsets: Any) -> bool:
        self.asked.append(dict(offsets))
        return self.answers.pop(0)


async def committed(consumer: Bare) -> None:
    """One turn of the commit timer."""
    await consumer._commit_tps(list(consumer._filter_tps_with_pending_acks()), start_new_transaction=False)


@pytest.mark.asyncio
async def test_a_commit_that_failed_is_tried_until_it_succeeds_and_then_no_more() -> None:
    consumer = Bare([False, False, True])
    for _ in range(5):
        await committed(consumer)
    assert consumer.asked == [{PLACE: 5}] * 3


@pytest.mark.asyncio
async def test_a_failed_commit_leaves_the_last_that_succeeded_as_what_is_committed() -> None:
    consumer = Bare([True, False])
    await committed(consumer)
    consumer._acknowledged[PLACE] = 9
    await committed(consumer)
    consumer._acknowledged.clear()
    assert consumer.done(PLACE) == 5


@pytest.mark.asyncio
async def test_a_commit_of_which_a_part_was_no_longer_ours_is_not_taken_for_all_of_it() -> None:
    thread: Any = ConsumerThread.__new__(ConsumerThread)
    thread.assignment = lambda: {PLACE}
    thread._ensure_consumer = lambda: SimpleNamespace(commit=AsyncMock())
    assert await thread._commit({PLACE: 5})
    assert not await thread._commit({PLACE: 6, OTHER: 3})
