"""The agent that renews leases, and counts what would be blocked."""

import secrets

from agents.config import Config
from agents.enforcement import enforcement_agent
from agents.health import Health
from agents.publishing import Publisher
from agents.roles.common import app_of, require_fit, run_app
from policy_store.database import Database
from spendgate.model.topics import load_topics
from window_counters.redis_store import RedisStore


def run(_: str, config: Config) -> int:
    """See ``agents.roles``."""
    require_fit(config.redis)
    topics, publisher = load_topics(), Publisher()
    agent = enforcement_agent(
        topics, RedisStore(config.redis), Database(config.store), config.store_keys, config.enforcement_key, publisher,
        kafka=config.kafka, auth=config.security.aiokafka, name=config.instance or f"agent-{secrets.token_hex(4)}",
    )  # fmt: skip
    return run_app(app_of(config, topics.decisions, agent, Health(), publisher))
