"""The id that the broker gave a topic when it was created: what tells a topic from its namesake."""

import time
from collections.abc import Mapping

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from agents.delivery import Fatal

MISSING = 3
PAUSE_S = 0.5


def topic_id(bootstrap: str, topic: str, *, within_s: float, security: Mapping[str, str] | None = None) -> str:
    """The id of ``topic``. Waits ``within_s`` for a broker; raises Fatal if none answers or the topic is missing.

    ``security``: keywords of kafka-python's clients.
    """
    deadline = time.monotonic() + within_s
    while True:
        try:
            return _ask(bootstrap, topic, security or {})
        except KafkaError as error:
            if time.monotonic() > deadline:
                raise Fatal(f"no Kafka broker answers at {bootstrap}: {type(error).__name__}", MISSING) from None
            time.sleep(PAUSE_S)


def _ask(bootstrap: str, topic: str, security: Mapping[str, str]) -> str:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap, **security)
    try:
        described = admin.describe_topics([topic])
    finally:
        admin.close()
    if not described or described[0]["error_code"] != 0:
        raise Fatal(f"topic {topic} does not exist; create it with: spendgate topics apply", MISSING)
    return str(described[0]["topic_id"])
