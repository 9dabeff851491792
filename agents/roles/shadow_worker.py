"""The shadow worker, wired."""

from datetime import UTC, datetime

from agents.activation import Activator
from agents.config import Config
from agents.faust_private import App
from agents.health import Health
from agents.outlet import Outlet
from agents.past import Past
from agents.policies import Documents
from agents.publishing import Publisher
from agents.rebuild import Rebuild
from agents.roles.common import app_of, id_of, log_of, require_fit, run_app
from agents.shadow import Shadow
from spendgate.model.topics import Topics, load_topics
from telemetry.tracing import traced
from window_counters.redis_store import RedisStore


def run(_: str, config: Config) -> int:
    """See ``agents.roles``."""
    require_fit(config.redis)
    return run_app(build(config, load_topics()))


def build(config: Config, topics: Topics) -> App:
    """The worker's app; nothing is connected but to learn the event topic's id."""
    publisher, health = Publisher(), Health()
    store = traced(RedisStore(config.redis), "redis", "client")
    documents = Documents(config.kafka, topics.policies, config.security.aiokafka)
    outlet = traced(Outlet(publisher, topics), "decisions", "producer")
    named = id_of(config, topics.events)
    past = Past(config.ledger, named) if config.ledger is not None else None
    rebuild = Rebuild(log_of(config, topics.events, health), topics.events, past, config.trusts)
    shadow = Shadow(
        topic=topics.events,
        topic_id=named,
        store=store,
        documents=documents,
        rebuild=rebuild,
        activator=Activator(store, documents, rebuild, outlet),
        outlet=outlet,
        now=lambda: datetime.now(UTC),
        judges={},
        trusts=config.trusts,
    )
    return app_of(config, topics.events, shadow, health, publisher)
