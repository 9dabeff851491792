"""The agent that records events and activations, and makes checkpoints."""

from agents.books import Book, EventBook
from agents.config import Config
from agents.policies import Documents
from agents.roles.common import id_of, run_app
from agents.roles.ledger_app import ledger_app
from agents.upkeep import Upkeep
from spendgate.ledger.delta_reader import Ledger
from spendgate.model.topics import load_topics
from spendgate.simulate.ledger_log import LedgerLog


def run(_: str, config: Config) -> int:
    """See ``agents.roles``."""
    topics = load_topics()
    topic, named, root = topics.events, id_of(config, topics.events), config.ledger or ""

    def open_book(partition: int, covered: int) -> Book:
        book = EventBook(topic, named, partition, covered, config.trusts)
        if covered >= 0:
            book.resume(LedgerLog(Ledger.open(root), named, partition))
        return book

    documents = Documents(config.kafka, topics.policies, config.security.aiokafka)
    upkeep = Upkeep(root, topic.name, named, ("events", "activations"), documents, config.timer)
    return run_app(ledger_app(config, topic, upkeep, open_book))
