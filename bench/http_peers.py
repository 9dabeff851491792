"""What the door is compared with: FastAPI apps that do less. Run by uvicorn with the door's own settings."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse


@asynccontextmanager
async def _producing(app: FastAPI) -> AsyncIterator[None]:
    producer = AIOKafkaProducer(
        bootstrap_servers=os.environ["SPENDGATE_KAFKA"], acks="all", enable_idempotence=True, linger_ms=2,
        max_request_size=4 * 2**20,
    )  # fmt: skip
    await producer.start()
    app.state.producer = producer
    yield
    await producer.stop()


parse_only = FastAPI()
produce_only = FastAPI(lifespan=_producing)


@parse_only.post("/v1/events", status_code=202)
async def parse(request: Request) -> JSONResponse:
    """Parse the JSON, and say how many items it has."""
    return JSONResponse({"accepted": len(await request.json())}, 202)


@parse_only.post("/v1/check")
async def nothing(request: Request) -> JSONResponse:
    """Parse the JSON, and allow."""
    await request.json()
    return JSONResponse({"allow": True})


@produce_only.post("/v1/events", status_code=202)
async def produce(request: Request) -> JSONResponse:
    """Hand the body to Kafka as it is, and answer once that is acknowledged."""
    body = await request.body()
    await request.app.state.producer.send_and_wait(os.environ["BENCH_EVENTS"], body, key=b"bench")
    return JSONResponse({"accepted": -1}, 202)


if __name__ == "__main__":
    uvicorn.run(
        {"parse_only": parse_only, "produce_only": produce_only}[sys.argv[1]], port=int(sys.argv[2]), loop="asyncio",
        http="httptools", access_log=False, log_level="warning",
    )  # fmt: skip
