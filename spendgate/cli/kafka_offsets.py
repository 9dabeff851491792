"""First and next offsets of a topic's partitions, as the ledger's verification compares them.

Import it inside a command only, for it needs the ``services`` extra.
"""

from kafka import TopicPartition
from kafka.admin import OffsetSpec

from spendgate.cli.kafka_admin import TIMEOUT_MS, admin_client, read_topics, topic_id
from spendgate.failure import Failure
from spendgate.ledger.delta_verify import Offsets, Source


def topic_offsets(bootstrap: str, topic: str, timeout_ms: int = TIMEOUT_MS) -> dict[Source, Offsets]:
    """By topic id and partition. Raises Failure: no such topic, no answer."""
    known = topic_id(bootstrap, topic, timeout_ms)
    with admin_client(bootstrap, timeout_ms) as client:
        found = read_topics(client, [topic]).get(topic)
        if found is None:
            raise Failure(f"Kafka at {bootstrap} has no topic {topic}: run `spendgate topics apply`")
        places = [TopicPartition(topic, partition) for partition in range(found.partitions)]
        first = client.list_partition_offsets(dict.fromkeys(places, OffsetSpec.EARLIEST))
        following = client.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
    return {(known, place.partition): Offsets(first[place].offset, following[place].offset) for place in places}
