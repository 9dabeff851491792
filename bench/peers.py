"""The stock Faust agents of the comparison: one that does nothing, and the obvious one.

faust-streaming's defaults, but for raw bytes (the obvious agent decodes them with the project's own decoder), uvloop
and log level ``info``, which the command line asks for. Run as ``faust -A bench.peers:noop worker``. Each prints one
JSON line when its count of events reaches one of BENCH_MARKS.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import faust
import msgspec
from redis.asyncio import Redis

from spendgate.model.event import Event

_EVENTS, _DECISIONS = os.environ["BENCH_EVENTS"], os.environ["BENCH_DECISIONS"]
_CAP_NANO_USD = 400_000 * 10**9

_decode = msgspec.json.Decoder(Event).decode
_encode = msgspec.json.Encoder().encode


class Tally:
    """Counts events; says when the count reaches a mark."""

    def __init__(self, marks: str) -> None:
        self._marks = frozenset(map(int, marks.split(",")))
        self._count = 0

    def add(self) -> None:
        """Count one event."""
        self._count += 1
        if self._count in self._marks:
            sys.stdout.write(json.dumps({"count": self._count, "time_s": time.time()}) + "\n")
            sys.stdout.flush()


def _app(name: str) -> faust.App:
    return faust.App(
        f"{os.environ['BENCH_GROUP']}-{name}",
        broker=f"kafka://{os.environ['SPENDGATE_KAFKA']}",
        datadir=str(Path(tempfile.gettempdir()) / "spendgate-bench-faust"),
        key_serializer="raw",
        value_serializer="raw",
    )


_tally = Tally(os.environ["BENCH_MARKS"])
noop = _app("noop")
obvious = _app("obvious")
_redis = Redis.from_url(os.environ["SPENDGATE_REDIS"])
_decisions = obvious.topic(_DECISIONS, key_type=bytes, value_type=bytes)


@noop.agent(noop.topic(_EVENTS, key_type=bytes, value_type=bytes))
async def do_nothing(stream: faust.StreamT[bytes]) -> None:
    """Take each event and leave it."""
    async for _ in stream:
        _tally.add()


@obvious.agent(obvious.topic(_EVENTS, key_type=bytes, value_type=bytes))
async def judge(stream: faust.StreamT[bytes]) -> None:
    """A team's budget as one would write it: one counter, one decision, both awaited."""
    async for value in stream:
        event = _decode(value)
        spent = await _redis.incrby(f"{_DECISIONS}:{event.tenant}:{event.team}", event.cost_nano_usd or 0)
        verdict = "deny" if spent > _CAP_NANO_USD else "approve"
        decision = {"event_id": event.id, "team": event.team, "verdict": verdict, "spent_nano_usd": spent}
        await _decisions.send(key=event.tenant.encode(), value=_encode(decision))
        _tally.add()
