"""The server, which says when it stops: an answer that goes on until then would hold up the stop."""

import asyncio
import socket

import uvicorn

FAILED_TO_START = 3
"""The exit code; as uvicorn's own command ends."""


class Server(uvicorn.Server):
    """uvicorn's; ``stopping`` is set before it waits for what is under way."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        self._stopping.set()
        await super().shutdown(sockets)

    def serve_until_told(self) -> int:
        """Serve; returns the process's exit code."""
        self.run()
        return 0 if self.started else FAILED_TO_START
