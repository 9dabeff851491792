"""The Kafka door's composition root: ``python -m agents.app worker``."""

import asyncio
import gc
import os
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime

from agents.activation import Activator
from agents.delivery import Fatal, Settings, make_app, run
from agents.exits import leave, one_line
from agents.faust_private import App
from agents.health import Health
from agents.log import Log
from agents.outlet import Outlet
from agents.policies import Documents
from agents.publishing import Publisher
from agents.rebuild import Rebuild
from agents.security import Security
from agents.shadow import Shadow
from agents.topic_id import topic_id
from spendgate.model.topics import Topics, TopicsError, load_topics
from window_counters.protocol import StoreUnavailable, StoreUnfit
from window_counters.redis_store import RedisStore

USAGE = "usage: python -m agents.app worker"
WRONG_USAGE, MISSING, REFUSED = 2, 3, 4
BROKER_WITHIN_S = 60.0
GARBAGE = 100_000
"""How many containers may be made, beyond those let go, before the collector looks; Python's own is 700."""


@dataclass(frozen=True, slots=True)
class Config:
    """Where a worker finds its servers; all from the environment.

    SPENDGATE_KAFKA (host:port, comma separated), SPENDGATE_REDIS (a URL), SPENDGATE_GROUP (default
    ``spendgate-shadow``), SPENDGATE_INSTANCE (a name for this worker's slot, unique among live workers),
    SPENDGATE_KAFKA_SECURITY and what belongs to it.
    """

    kafka: str
    redis: str
    group: str
    instance: str | None
    security: Security = field(default_factory=Security)

    @classmethod
    def from_environment(cls) -> "Config":
        """Raises Fatal if something needed is not set."""
        missing = [name for name in ("SPENDGATE_KAFKA", "SPENDGATE_REDIS") if not os.environ.get(name)]
        if missing:
            raise Fatal(f"expected {' and '.join(missing)} in the environment", WRONG_USAGE)
        return cls(
            os.environ["SPENDGATE_KAFKA"],
            os.environ["SPENDGATE_REDIS"],
            os.environ.get("SPENDGATE_GROUP", "spendgate-shadow"),
            os.environ.get("SPENDGATE_INSTANCE"),
            Security.from_environment(),
        )


def build(config: Config, topics: Topics) -> App:
    """The worker, wired; nothing is connected but to learn the event topic's id."""
    publisher, health = Publisher(), Health()
    store = RedisStore(config.redis)
    auth = config.security.aiokafka
    documents = Documents(config.kafka, topics.policies, auth)
    outlet = Outlet(publisher, topics)
    # Reading the log again is progress, however long one batch then takes.
    rebuild = Rebuild(Log(config.kafka, topics.events.name, config.group, health.progress, auth), topics.events)
    shadow = Shadow(
        topic=topics.events,
        topic_id=topic_id(
            config.kafka, topics.events.name, within_s=BROKER_WITHIN_S, security=config.security.kafka_python
        ),
        store=store,
        documents=documents,
        rebuild=rebuild,
        activator=Activator(store, documents, rebuild, outlet),
        outlet=outlet,
        now=lambda: datetime.now(UTC),
        judges={},
    )
    return make_app(
        config.group,
        bootstrap=config.kafka,
        topic=topics.events.name,
        handler=shadow,
        settings=Settings(group=config.group, instance_id=config.instance, credentials=config.security.credentials),
        publisher=publisher,
        health=health,
    )


def collect_less() -> None:
    """Have the garbage collector look rarely, and not at what has been loaded: no event leaves a cycle behind, and
    looking for one took a twentieth of the worker's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)


async def _require_fit(redis: str) -> None:
    """Refuse a Redis that may evict, before anything is judged on it."""
    store = RedisStore(redis)
    try:
        await store.check_fit()
    except StoreUnfit as error:
        raise Fatal(str(error), REFUSED) from None
    except StoreUnavailable as error:
        raise Fatal(f"Redis does not answer: {error}", MISSING) from None
    finally:
        await store.close()


def main(arguments: list[str]) -> int:
    """Run a worker; returns the process's exit code."""
    if arguments != ["worker"]:
        sys.stderr.write(USAGE + "\n")
        return WRONG_USAGE
    try:
        config = Config.from_environment()
        asyncio.run(_require_fit(config.redis))
        app = build(config, load_topics())
        collect_less()
    except (Fatal, TopicsError, ValueError) as error:
        sys.stderr.write(f"spendgate: {one_line(error)}\n")
        return error.code if isinstance(error, Fatal) else WRONG_USAGE
    return run(app)


if __name__ == "__main__":
    leave(main(sys.argv[1:]))  # at once: the interpreter's own end can crash in a thread of a consumer that still runs
