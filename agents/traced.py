"""Handlers whose batches are spans of the traces that their records name; only where tracing is on."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

from agents.lanes import Handler, Message
from telemetry import tracing

MOST_TRACES = 100
"""Of one batch; the others are links, or not told at all."""


@dataclass(frozen=True, slots=True)
class TracedHandler:
    """See Handler. A batch is done once for all of its records, so what is done within belongs to the trace of the
    first; each of the others gets a span of its own over the same time, and the first one's has links to them."""

    handler: Handler
    name: str

    async def handle(self, partition: int, messages: Sequence[Message]) -> None:
        """See Handler."""
        parents = tuple(dict.fromkeys(m.traceparent for m in messages if m.traceparent is not None))[:MOST_TRACES]
        if not parents:
            await self.handler.handle(partition, messages)
            return
        first, others = parents[0], parents[1:]
        with ExitStack() as spans:
            for each in others:
                spans.enter_context(self._span(partition, messages, each))
            spans.enter_context(self._span(partition, messages, first, others))
            await self.handler.handle(partition, messages)

    def _span(
        self, partition: int, messages: Sequence[Message], parent: str, others: tuple[str, ...] = ()
    ) -> AbstractContextManager[object]:
        return tracing.span(
            f"{self.name} process", "consumer", parent, others, messaging__system="kafka",
            messaging__destination__partition__id=str(partition), messaging__kafka__offset=messages[0].offset,
            messaging__batch__message_count=len(messages),
        )  # fmt: skip

    async def idle(self, partition: int) -> None:
        """See Handler."""
        await self.handler.idle(partition)

    async def assigned(self, partitions: frozenset[int]) -> None:
        """See Handler."""
        await self.handler.assigned(partitions)

    async def revoked(self, partitions: frozenset[int]) -> None:
        """See Handler."""
        await self.handler.revoked(partitions)


def traced_handler(handler: Handler, name: str) -> Handler:
    """The handler itself where tracing is off."""
    return TracedHandler(handler, name) if tracing.is_on() else handler
