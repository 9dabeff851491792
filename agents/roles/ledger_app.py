"""What every agent of the ledger is wired of."""

from collections.abc import Callable

from agents.books import Book
from agents.config import Config
from agents.faust_private import App
from agents.health import Health
from agents.ledger import LedgerAgent
from agents.roles.common import app_of, log_of
from agents.upkeep import Upkeep
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.model.topics import Topic


def ledger_app(config: Config, topic: Topic, upkeep: Upkeep, open_book: Callable[[int, int], Book]) -> App:
    """The app that records a topic in the tables that ``upkeep`` looks after."""
    health = Health()
    agent = LedgerAgent(
        topic_id=upkeep.topic_id,
        log=log_of(config, topic, health),
        table=LedgerTable(upkeep.root),
        open_book=open_book,
        upkeep=upkeep,
        pace=config.pace,
    )
    return app_of(config, topic, agent, health)
