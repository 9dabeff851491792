"""Decisions as they happen, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from gateway_shadow.auth import Reader
from gateway_shadow.documents import Name
from gateway_shadow.live import Gap, TooMany, Watcher
from gateway_shadow.openapi import problems
from gateway_shadow.parts import Shared
from gateway_shadow.problems import Problem
from gateway_shadow.still_good import is_still_good
from spendgate.model.decision import Decision, Verdict

router = APIRouter(tags=["ledger"])

LOOK_S = 1.0
"""How often it is looked whether the key is still good, and whether the door stops."""


async def _watcher(caller: Reader, parts: Shared) -> AsyncIterator[Watcher]:
    async with AsyncExitStack() as exits:
        try:
            yield await exits.enter_async_context(parts.live.watch(caller.tenant))
        except TooMany:
            words = "as many streams of this tenant are open as may be"
            raise Problem(503, "busy", words, headers={"Retry-After": "10"}) from None


@router.get("/v1/decisions/live", response_class=EventSourceResponse, responses=problems(503))
async def live_decisions(
    caller: Reader, parts: Shared, watcher: Annotated[Watcher, Depends(_watcher)],
    verdict: Annotated[Verdict | None, Query()] = None, policy: Annotated[Name | None, Query()] = None,
) -> AsyncIterator[ServerSentEvent]:  # fmt: skip
    """Server-sent events: `begun` once nothing is missed any more, then a `decision` each, and `gap` with how many were
    left out because they were read too slowly. It ends with the key. What was before stands in `/v1/decisions`."""
    if await _soon(parts.live.has_begun()):
        yield ServerSentEvent(event="begun", data={})
    while not parts.stopping.is_set() and await is_still_good(parts, caller):
        until = asyncio.get_running_loop().time() + LOOK_S
        while (told := await _next(watcher, until)) is not None:
            if isinstance(told, Gap):
                yield ServerSentEvent(event="gap", data={"missed": told.missed})
            elif _is_wanted(told, verdict, policy):
                yield ServerSentEvent(event="decision", id=told.decision_id, data=_document(told))


async def _soon(awaited: Any) -> bool:
    try:
        async with asyncio.timeout(LOOK_S * 10):
            await awaited
    except TimeoutError:
        return False
    return True


async def _next(watcher: Watcher, until_s: float) -> Decision | Gap | None:
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


def _document(decision: Decision) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(decision)
    return found
