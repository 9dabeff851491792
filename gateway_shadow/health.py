"""Whether the door lives, whether it can take events, and its metrics. No key is asked for: metrics tell the names of
tenants and policies, so whoever reaches the door from outside is kept from them by the proxy before it."""

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from gateway_shadow.parts import Shared
from policy_store.errors import StoreAway
from policy_store.migrate import require_current
from telemetry.exposition import exposition

router = APIRouter(tags=["health"])


class Ready(BaseModel):
    """``ok``, or what is missing."""

    store: str


@router.get("/health/live")
async def live() -> dict[str, bool]:
    """The process answers."""
    return {"live": True}


@router.get("/health/ready", response_model=Ready, responses={503: {"model": Ready}})
async def ready(response: Response, parts: Shared) -> Ready:
    """The store answers and has this program's schema. Kafka is not asked for: without it events are refused one by
    one with a Retry-After, and everything else goes on."""
    try:
        await run_in_threadpool(require_current, parts.database)
    except StoreAway as error:
        response.status_code = 503
        return Ready(store=str(error))
    return Ready(store="ok")


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """For Prometheus."""
    body, content_type = exposition(request.headers.get("accept"))
    return Response(body, media_type=content_type)
