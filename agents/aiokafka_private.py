"""Every private part of aiokafka that is changed for all clients of the process.

Measured on aiokafka 0.14; ``tests/agents/test_faust_contract.py`` holds it, so that another version fails loudly.

- Writing to a connection that is closed already is a Kafka error. aiokafka counts on asyncio's transports, which let
  it pass; uvloop's raise RuntimeError, the task that refreshes metadata dies of it unseen, and from then on no
  coordinator is found: after an outage the worker read on, and neither committed nor beat.
- lz4 compresses at its fastest level: aiokafka's default, 9, takes ten times the time for a little less.
"""

import importlib
from functools import partial
from typing import Any

from aiokafka import codec, conn
from aiokafka.errors import KafkaConnectionError, KafkaError

LZ4_LEVEL = 1
BATCH_BUILDERS = ("aiokafka.record._crecords.default_records", "aiokafka.record.default_records")
"""The modules that compress batches, the compiled and the plain one, each by its own ``lz4_encode``."""


class Connection(conn.AIOKafkaConnection):  # type: ignore[misc] # aiokafka has no types for it
    """A connection to a broker that takes a closed transport for a broken connection, under uvloop too."""

    def send(self, request: Any, expect_response: bool = True) -> Any:
        """Write a request; an awaitable of its response. Raises KafkaConnectionError if it cannot be written."""
        try:
            return super().send(request, expect_response)
        except KafkaError:  # a RuntimeError too
            raise
        except RuntimeError as error:
            self.close(reason=conn.CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: {error}") from error


conn.AIOKafkaConnection = Connection  # what aiokafka's clients make their connections of


def compression() -> str | None:
    """What to compress with: lz4 at its fastest where aiokafka finds its codec."""
    if not codec.has_lz4():
        return None
    for name in BATCH_BUILDERS:
        vars(importlib.import_module(name))["lz4_encode"] = partial(codec.lz4_encode, level=LZ4_LEVEL)
    return "lz4"
