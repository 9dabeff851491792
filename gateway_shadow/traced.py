"""Requests as spans: ASGI middleware, there only where tracing is on."""

from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telemetry import tracing

TRACED = "/v1/"
_HEADER = tracing.HEADER.encode()


@dataclass
class Traced:
    """Goes on with the trace that a sender names, or begins one. Told are method, route and status, and nothing that a
    sender chose."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http" or not scope["path"].startswith(TRACED):
            await self.app(scope, receive, send)
            return
        parent = next((value.decode("latin-1") for name, value in scope["headers"] if name == _HEADER), None)
        with tracing.span("request", "server", parent, http__request__method=scope["method"]) as made:

            async def answer(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _tell(made, scope, message["status"])
                await send(message)

            await self.app(scope, receive, answer)


def _tell(made: Any, scope: Scope, status: int) -> None:
    route = getattr(scope.get("route"), "path", "(none)")
    made.update_name(f"{scope['method']} {route}")
    made.set_attribute("http.route", route)
    made.set_attribute("http.response.status_code", status)
