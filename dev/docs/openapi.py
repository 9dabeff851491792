"""The HTTP door's OpenAPI document, without a door: no store, no Kafka and no settings are asked for."""

from typing import Any

from fastapi import FastAPI

from gateway_shadow.app import BY_PROVIDER, ROUTES
from gateway_shadow.openapi import COMMON
from spendgate import __version__


def document() -> dict[str, Any]:
    """All routes, those of a sign-in provider too."""
    app = FastAPI(title="Spendgate", version=__version__, responses=COMMON, redirect_slashes=False)
    for each in (*ROUTES, *BY_PROVIDER):
        app.include_router(each.router)
    return app.openapi()
