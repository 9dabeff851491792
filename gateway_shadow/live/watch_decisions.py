"""Decisions as they happen, as server-sent events; a stream that was cut goes on where it was."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from aiokafka.errors import KafkaError
from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from gateway_shadow.auth import Reader
from gateway_shadow.documents import Name
from gateway_shadow.live.consumer import TooMany
from gateway_shadow.live.ids import Place, Told, place_of
from gateway_shadow.live.watcher import Gap, Watcher
from gateway_shadow.openapi import problems
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import Problem
from spendgate.model.decision import Decision, Verdict

log = logging.getLogger(__name__)
router = APIRouter(tags=["ledger"])

LOOK_S = 1.0
"""How often it is looked whether the key is still good, and whether the door stops."""
ROUNDS = 5
"""Reading back takes time, in which more may be published than can wait; each round has less to read than the one
before."""


AtMost = Annotated[
    int | None,
    Query(ge=1, le=1000, description="So many in a second; a `gap` tells how many more there were. For people."),
]  # fmt: skip


async def _watcher(
    caller: Reader, parts: Shared, verdict: Annotated[Verdict | None, Query()] = None,
    policy: Annotated[Name | None, Query()] = None, at_most: AtMost = None,
) -> AsyncIterator[Watcher]:  # fmt: skip
    wants = None if verdict is None and policy is None else partial(_is_wanted, verdict=verdict, policy=policy)
    async with AsyncExitStack() as exits:
        try:
            yield await exits.enter_async_context(parts.live.watch(caller.tenant, wants, at_most))
        except TooMany:
            words = "as many streams of this tenant are open as may be"
            raise Problem(503, "busy", words, headers={"Retry-After": "10"}) from None


@router.get("/v1/decisions/live", response_class=EventSourceResponse, responses=problems(503))
async def live_decisions(
    caller: Reader, parts: Shared, watcher: Annotated[Watcher, Depends(_watcher)],
    verdict: Annotated[Verdict | None, Query()] = None, policy: Annotated[Name | None, Query()] = None,
    at_most: AtMost = None,
    last_event_id: Annotated[str | None, Header(description="The last id of a stream that was cut.")] = None,
) -> AsyncIterator[ServerSentEvent]:  # fmt: skip
    """Server-sent events: `begun` once nothing is missed any more, then a `decision` each, and `gap` where some were
    left out. With `Last-Event-ID`, which browsers send by themselves, it goes on where a stream was cut. It ends with
    the key. What was long before stands in `/v1/decisions`."""
    stream = _Stream(parts, watcher, verdict, policy)
    while not parts.stopping.is_set() and await parts.looks.is_good(caller):
        if not stream.has_begun:
            async with aclosing(stream.begin(last_event_id)) as events:
                async for event in events:
                    yield event
            continue
        until = (asyncio.get_running_loop().time() // LOOK_S + 1) * LOOK_S  # all streams look at the same time
        while (told := await _next(watcher, until)) is not None:
            if (said := stream.event_of(told)) is not None:
                yield said
        if watcher.is_empty and (rest := watcher.rest()) is not None:
            yield stream.gap(rest)
        if (progress := stream.progress()) is not None:
            yield progress


@dataclass
class _Stream:
    """One stream, and the id that it has said last."""

    parts: Parts
    watcher: Watcher
    verdict: Verdict | None
    policy: str | None
    has_begun: bool = False
    said: str | None = None

    async def begin(self, last_event_id: str | None) -> AsyncGenerator[ServerSentEvent]:
        """`begun`, and what was published since the last id. While Kafka is away it says nothing, and may be tried
        again."""
        if not await _soon(self.parts.live.has_begun()):
            return
        try:
            async with aclosing(self._go_on(self.said or last_event_id)) as events:
                async for event in events:
                    yield event
            self.has_begun = True
        except KafkaError as error:
            log.warning("a stream of decisions does not go on yet: %s", type(error).__name__)
            await asyncio.sleep(LOOK_S)

    async def _go_on(self, last_event_id: str | None) -> AsyncGenerator[ServerSentEvent]:
        now = self._join()
        first, gap = (now, None) if not last_event_id else await self._from(place_of(last_event_id), now)
        yield self._event("begun", {}, first)
        if gap is not None:
            yield ServerSentEvent(event="gap", data=gap)
        for left in reversed(range(ROUNDS)):
            async with aclosing(self.parts.past.between(self.watcher.tenant, first, now)) as past:
                async for told in past:
                    if (said := self.event_of(told)) is not None:
                        yield said
            if not left or not self.watcher.has_missed:
                return
            first, now = now, self._join()

    def _join(self) -> Place:
        """Watch from now on; what was before will be read elsewhere."""
        self.watcher.forget()
        return self.parts.live.now(self.watcher.tenant)

    async def _from(self, wanted: Place | None, now: Place) -> tuple[Place, dict[str, Any] | None]:
        """Where to go on, and what is told of what is left out. An id that means nothing here is no error: whoever gets
        one never connects again, and it may be of a topic that has been made anew."""
        if wanted is None or wanted.partition != now.partition or wanted.offset > now.offset:
            return now, {"missed": None, "messages": None, "reason": "unknown_id"}
        if wanted.offset == now.offset:
            return now, None
        oldest = await self.parts.past.oldest(now, datetime.now(UTC))
        if wanted.offset >= oldest.offset:
            return wanted, None
        return oldest, {"missed": None, "messages": oldest.offset - wanted.offset, "reason": "too_far_back"}

    def event_of(self, told: Told | Gap) -> ServerSentEvent | None:
        """A decision that is wanted, or a gap; one for slowness has no id, so that whoever connects again gets what is
        in it."""
        if isinstance(told, Gap):
            return self.gap(told)
        if not _is_wanted(told.decision, self.verdict, self.policy):
            return None
        self.said = told.after.id
        return ServerSentEvent(event="decision", id=self.said, raw_data=told.text)

    def gap(self, gap: Gap) -> ServerSentEvent:
        """How many were left out. Of what was more than was asked for it has the id, too: nobody wants it again."""
        if gap.after is not None:
            self.said = gap.after.id
        data = {"missed": gap.missed, "messages": None, "reason": gap.reason}
        return ServerSentEvent(event="gap", data=data, id=None if gap.after is None else self.said)

    def progress(self) -> ServerSentEvent | None:
        """How far the topic has been looked at without a hit, for whoever is cut now."""
        if not self.watcher.is_abreast or self.parts.live.now(self.watcher.tenant).id == self.said:
            return None
        self.said = self.parts.live.now(self.watcher.tenant).id
        return ServerSentEvent(id=self.said, comment="so far")

    def _event(self, name: str, data: dict[str, Any], after: Place) -> ServerSentEvent:
        self.said = after.id
        return ServerSentEvent(event=name, id=self.said, data=data)


async def _soon(awaited: Any) -> bool:
    try:
        async with asyncio.timeout(LOOK_S):
            await awaited
    except TimeoutError:
        return False
    return True


async def _next(watcher: Watcher, until_s: float) -> Told | Gap | None:
    """The next one, if it comes by then."""
    try:
        async with asyncio.timeout_at(until_s):
            return await watcher.next()
    except TimeoutError:
        return None


def _is_wanted(decision: Decision, verdict: Verdict | None, policy: str | None) -> bool:
    return verdict in (None, decision.verdict) and (
        policy is None or any(reason.policy == policy for reason in decision.reasons)
    )
