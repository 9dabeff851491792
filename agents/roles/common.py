"""What the roles share: a Faust app around a handler, and the run of it."""

import asyncio
import gc

from agents.config import Config
from agents.delivery import Fatal, Settings, make_app, run
from agents.faust_private import App
from agents.health import Health
from agents.lanes import Handler
from agents.log import Log
from agents.publishing import Publisher
from agents.topic_id import topic_id
from spendgate.model.topics import Topic
from telemetry.tracing import shut_down
from window_counters.protocol import StoreUnavailable, StoreUnfit
from window_counters.redis_store import RedisStore

MISSING, REFUSED = 3, 4
BROKER_WITHIN_S = 60.0
GARBAGE = 100_000
"""How many containers may be made, beyond those let go, before the collector looks; Python's own is 700."""


def app_of(config: Config, topic: Topic, handler: Handler, health: Health, publisher: Publisher | None = None) -> App:
    """The app that follows a topic in the role's group."""
    return make_app(
        config.group,
        bootstrap=config.kafka,
        topic=topic.name,
        handler=handler,
        settings=Settings(group=config.group, instance_id=config.instance, credentials=config.security.credentials),
        publisher=publisher,
        health=health,
    )


def run_app(app: App) -> int:
    """Run it to its end; the process's exit code."""
    _collect_less()
    code = run(app)
    shut_down()
    return code


def id_of(config: Config, topic: Topic) -> str:
    """The id of a topic, which the broker gave it. Raises Fatal."""
    return topic_id(config.kafka, topic.name, within_s=BROKER_WITHIN_S, security=config.security.kafka_python)


def log_of(config: Config, topic: Topic, health: Health) -> Log:
    """Reading the log again is progress, however long one batch then takes."""
    return Log(config.kafka, topic.name, config.group, health.progress, config.security.aiokafka)


def require_fit(redis: str) -> None:
    """Refuse a Redis that may evict, before anything is judged on it. Raises Fatal."""
    asyncio.run(_require_fit(redis))


async def _require_fit(redis: str) -> None:
    store = RedisStore(redis)
    try:
        await store.check_fit()
    except StoreUnfit as error:
        raise Fatal(str(error), REFUSED) from None
    except StoreUnavailable as error:
        raise Fatal(f"Redis does not answer: {error}", MISSING) from None
    finally:
        await store.close()


def _collect_less() -> None:
    """Have the garbage collector look rarely, and not at what has been loaded: no event leaves a cycle behind, and
    looking for one took a twentieth of the worker's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)
