"""What ``spendgate counters`` does, at Kafka, Redis and the ledger.

Import it inside a command only, for it needs the service folders of a checkout or the image.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from aiokafka.errors import KafkaError

from agents.config import trust_of_environment
from agents.delivery import Fatal, Transient
from agents.log import Log
from agents.past import Past
from agents.policies import Documents
from agents.rebuild import Rebuild
from agents.security import Security
from agents.topic_id import topic_id
from agents.verifying import Verifier
from spendgate.cli.say import USAGE
from spendgate.failure import NEEDED, REFUSED, Failure
from spendgate.model.partition import partition_of
from spendgate.model.reconciliation_parts import CountersPart, CountersResult
from spendgate.model.topics import Topic, TopicsError, load_topics
from spendgate.reconcile.counters import is_equal
from window_counters.inspecting import Inspector
from window_counters.protocol import PartitionId, StoreUnavailable, StoreUnfit

_BROKER_WITHIN_S = 10.0
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Asked:
    """Where things are."""

    kafka: str
    redis: str
    ledger: str | None


def verified(asked: Asked, tenant: str | None, partitions: Sequence[int]) -> CountersResult:
    """Compare a tenant's counters, or those of partitions, or all."""

    async def run() -> CountersResult:
        async with _verifier(asked) as verifier:
            chosen = _chosen(verifier.topic, tenant, partitions)
            return _result([await verifier.verify(each, tenant) for each in chosen], tenant)

    return asyncio.run(run())


def rebuilt(
    asked: Asked, tenant: str | None, partitions: Sequence[int], wait_s: float, notice: Callable[[str], None]
) -> CountersResult:
    """Rebuild partitions, one after the other, and compare all of them."""

    async def run() -> CountersResult:
        async with _verifier(asked) as verifier:
            parts = []
            for each in _chosen(verifier.topic, tenant, partitions):
                await _rebuild(verifier, each, wait_s, notice)
                parts.append(await verifier.verify(each))
            return _result(parts, None)

    return asyncio.run(run())


async def _rebuild(verifier: Verifier, partition: int, wait_s: float, notice: Callable[[str], None]) -> None:
    id_, log = PartitionId(verifier.topic.name, partition), verifier.rebuild.log
    await verifier.rebuild.require(partition, 0)
    judged = await log.committed(partition)
    mark = await verifier.inspector.mark(id_)
    if mark is not None and mark.topic_id == verifier.topic_id:
        judged = max(judged, mark.offset + 1)
    gone = await verifier.inspector.take_away(id_)
    notice(f"partition {partition}: {gone} keys taken away; waiting for its worker to build them anew")
    deadline = time.monotonic() + wait_s
    while judged and not await _has_reached(verifier, id_, judged - 1):
        if time.monotonic() > deadline:
            raise Failure(
                f"partition {partition}: no worker has built it anew within {wait_s:g} s; the next one that has it does"
            )
        await asyncio.sleep(_LOOK_S)


async def _has_reached(verifier: Verifier, id_: PartitionId, offset: int) -> bool:
    mark = await verifier.inspector.mark(id_)
    return mark is not None and mark.topic_id == verifier.topic_id and mark.offset >= offset


def _chosen(topic: Topic, tenant: str | None, partitions: Sequence[int]) -> list[int]:
    if partitions and max(partitions) >= topic.partitions:
        raise Failure(f"partition: expected 0 to {topic.partitions - 1}", USAGE)
    if tenant is not None:
        mine = partition_of(tenant.encode(), topic.partitions)
        if partitions and mine not in partitions:
            raise Failure("partition: expected the one that the tenant is in, or none", USAGE)
        return [mine]
    return sorted(set(partitions)) or list(range(topic.partitions))


def _result(parts: Sequence[CountersPart], tenant: str | None) -> CountersResult:
    return CountersResult(equal=all(map(is_equal, parts)), tenant=tenant, partitions=tuple(parts))


@asynccontextmanager
async def _verifier(asked: Asked) -> AsyncIterator[Verifier]:
    topics, security = load_topics(), Security.from_environment()
    named = topic_id(asked.kafka, topics.events.name, within_s=_BROKER_WITHIN_S, security=security.kafka_python)
    group = os.environ.get("SPENDGATE_GROUP") or "spendgate-shadow"
    log = Log(asked.kafka, topics.events.name, group, lambda: None, security.aiokafka)
    past = Past(asked.ledger, named) if asked.ledger else None
    inspector = Inspector(asked.redis)
    try:
        yield Verifier(
            topics.events, named, inspector, Rebuild(log, topics.events, past, trust_of_environment()),
            Documents(asked.kafka, topics.policies, security.aiokafka),
        )  # fmt: skip
    finally:
        await inspector.close()


@contextmanager
def told() -> Iterator[None]:
    """What servers and ledger may raise, as one line and an exit code."""
    try:
        yield
    except Fatal as error:
        raise Failure(str(error), error.code) from None
    except StoreUnfit as error:
        raise Failure(str(error), REFUSED) from None
    except (StoreUnavailable, Transient) as error:
        raise Failure(str(error), NEEDED) from None
    except KafkaError as error:
        raise Failure(f"Kafka does not answer ({type(error).__name__})", NEEDED) from None
    except (TopicsError, ValueError) as error:
        raise Failure(str(error), USAGE) from None
