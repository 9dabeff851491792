"""Routes that are asked hundreds of times a second: the function takes the request and returns the response.

FastAPI still routes and documents them; that it solves no dependencies and validates no models saves more time than the
whole of what such a route does.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute


class Bare(APIRoute):
    """A route whose endpoint is its handler. What it declares for the document, it declares by ``openapi_extra``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See FastAPI, \"Custom Request and APIRoute class\"."""
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler
