"""Topics of a test's own on the shared broker, and what stands in them."""

from secrets import token_hex

from kafka.admin import KafkaAdminClient, NewTopic

from spendgate.cli.endpoints import KAFKA_ENV
from spendgate.cli.kafka_client import Row, TopicReader
from spendgate.model.decode import decode_message
from spendgate.model.event import Event
from spendgate.model.topics import PREFIX_ENV, Topics, load_topics


class Broker:
    """``env``: what a command needs to use these topics."""

    def __init__(self, bootstrap: str) -> None:
        prefix = f"t{token_hex(4)}."
        self.bootstrap = bootstrap
        self.env = {KAFKA_ENV: bootstrap, PREFIX_ENV: prefix, "SPENDGATE_DEV": "", "COLUMNS": "200"}
        self.topics: Topics = load_topics(prefix=prefix, replication=1)
        topics = self.topics
        parts = (topics.events, topics.decisions, topics.policies, topics.enforcements)
        admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        try:
            admin.create_topics(
                [NewTopic(part.name, part.partitions, 1, topic_configs=part.settings) for part in parts]
            )
        finally:
            admin.close()

    def rows(self, topic: str) -> list[Row]:
        """All messages of a topic, each partition in its order."""
        with TopicReader(self.bootstrap, topic, 20, _nowhere) as reader:
            return list(reader.rows())

    def events(self) -> list[Event]:
        """All events of the event topic; fails on a message that the log would refuse."""
        topic = self.topics.events
        found: list[Event] = []
        for row in self.rows(topic.name):
            decoded = decode_message(row.key, row.value, row.partition, topic.partitions)
            assert not decoded.faults
            found += decoded.events
        return found


def _nowhere(line: str) -> None:
    """Waiting is no matter for a test."""
