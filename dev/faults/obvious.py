"""The obvious design under a fault, and its score by plain arithmetic over the log."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from redis import Redis

from agents.delivery import Message
from dev.faults.load import Batch
from dev.faults.score import Score
from dev.trial.workers import Worker
from dev.trial.world import World
from spendgate.model.event import encode_events

MODULE = "dev.faults.obvious_worker"


class Obvious:
    """A supervised worker, one event in a message, a cap on each team's month."""

    steps: Sequence[str] = ("incremented", "published", "committed")

    def __init__(
        self, bootstrap: str, redis_url: str, folder: Path, cap_usd: float, settings: Mapping[str, str] | None = None
    ) -> None:
        self.world = World(bootstrap, redis_url, folder, settings)
        self.workers = self.world.workers
        self.gone: list[Message] = []
        self.restarts = 0
        self.cap_usd = cap_usd
        self.environment: dict[str, str] = {}
        self._kept: dict[str, Worker] = {}
        self._seen: set[tuple[str, str]] = set()

    def start(self, instance: str = "one", **environment: str) -> Worker:
        """Start a worker; it is supervised unless a fault is armed in it."""
        topics = self.world.topics
        output = self.world.folder / f"obvious-{len(self.workers)}.log"
        named = {
            **self.world.environment(), **self.environment, "OBVIOUS_EVENTS": topics.events.name,
            "OBVIOUS_DECISIONS": topics.decisions.name, "OBVIOUS_PREFIX": self.world.prefix,
            "OBVIOUS_CAP_USD": str(self.cap_usd), **environment,
        }  # fmt: skip
        made = Worker.start(output, named, module=MODULE)
        self.workers.append(made)
        self._kept.pop(instance, None)
        if "SPENDGATE_FAULT" not in environment:
            self._kept[instance] = made
        return made

    def dismiss(self, instance: str) -> None:
        """Supervise a worker no longer."""
        self._kept.pop(instance, None)

    def supervise(self) -> None:
        """Start again what has ended."""
        for instance in [name for name, worker in self._kept.items() if not worker.alive()]:
            self.restarts += 1
            self.start(instance)

    def send(self, batch: Batch, *, wait: bool) -> None:
        """Append the calls of a batch one by one; it knows nothing of outcomes, and is spared the sample's repeats."""
        topic, broker = self.world.topics.events, self.world.broker
        for event in batch.events:
            name = event.tenant, event.id
            if event.kind != "call" or (name in self._seen and not batch.repeats):
                continue
            self._seen.add(name)
            broker.send(topic, event.tenant.encode(), encode_events(event), at_ms=batch.at_ms)
        if wait:
            broker.flush()

    def flush(self) -> None:
        """Wait until all that was sent is acknowledged."""
        self.world.broker.flush()

    def ends(self) -> dict[int, int]:
        """By partition, the offset after the last record."""
        return dict(self.world.broker.ends)

    def applied(self) -> dict[int, int]:
        """By partition, what its group has committed."""
        return self.world.broker.committed(self.world.prefix)

    def wait_for_history(self) -> None:
        """It has none."""

    def forget(self) -> None:
        """Let all records of the log pass their retention."""
        self.gone += self.world.broker.forget(self.world.topics.events)

    def close(self) -> None:
        """End everything."""
        self.world.close()


Counter = tuple[str, str | None, str]
"""Tenant, team, month."""


def scored_obvious(obvious: Obvious, recoveries: Sequence[float]) -> Score:
    """What it decided, and what its counters hold. A decision is wrong if its verdict is, whatever sum it names."""
    topics = obvious.world.topics
    log = [*obvious.gone, *obvious.world.broker.read(topics.events)]
    calls, sums, verdicts = _owed(log, obvious.cap_usd)
    said: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for message in obvious.world.broker.read(topics.decisions):
        found = json.loads(message.value or b"{}")
        said[found["tenant"], found["event_id"]].append(found)
    admitted: dict[Counter, int] = defaultdict(int)
    for name, copies in said.items():
        if name in calls and copies[0]["verdict"] != "deny":
            admitted[calls[name][0]] += calls[name][1]
    cap = round(obvious.cap_usd * 1e9)
    return Score(
        events=len(calls),
        decisions=len(calls),
        wrong_decisions=sum(any(c["verdict"] != verdicts[name] for c in said[name]) for name in calls if name in said),
        events_lost=len(calls.keys() - said.keys()),
        events_doubled=sum(len(copies) > 1 for copies in said.values()),
        decisions_differing=sum(each != copies[0] for copies in said.values() for each in copies[1:]),
        counter_error_nano_usd=_error(obvious, sums),
        overshoot_nano_usd=sum(max(0, total - cap) for total in admitted.values()),
        recovered_s=round(max(recoveries, default=0.0), 1),
        cause_named=False,
        restarts=obvious.restarts,
    )


def _owed(
    log: Sequence[Message], cap_usd: float
) -> tuple[dict[tuple[str, str], tuple[Counter, int]], dict[Counter, int], dict[tuple[str, str], str]]:
    """By call its counter and cost; the exact sums; what each verdict should be."""
    calls: dict[tuple[str, str], tuple[Counter, int]] = {}
    sums: dict[Counter, int] = defaultdict(int)
    verdicts: dict[tuple[str, str], str] = {}
    for message in log:
        event = json.loads(message.value or b"{}")
        name = event["tenant"], event["id"]
        if name in calls:
            continue
        month = datetime.fromisoformat(event["time"]).astimezone(UTC).strftime("%Y-%m")
        counter, cost = (event["tenant"], event.get("team"), month), event.get("cost_nano_usd", 0)
        calls[name] = counter, cost
        sums[counter] += cost
        verdicts[name] = "deny" if sums[counter] > round(cap_usd * 1e9) else "approve"
    return calls, sums, verdicts


def _error(obvious: Obvious, sums: Mapping[Counter, int]) -> int:
    """By how much its counters are off together, in nano-USD."""
    with Redis.from_url(obvious.world.redis_url) as redis:
        prefix = f"{obvious.world.prefix}:".encode()
        held = {key.removeprefix(prefix).decode(): redis.get(key) for key in redis.scan_iter(match=prefix + b"*")}
    found = {name: round(float(value or 0) * 1e9) for name, value in held.items()}
    owed = {":".join(map(str, counter)): total for counter, total in sums.items()}
    return sum(abs(found.get(name, 0) - owed.get(name, 0)) for name in found.keys() | owed.keys())
