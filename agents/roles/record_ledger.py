"""The agents that record what stands on one topic as it is: decisions, checks, rejections."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from agents.books import CHECKS, DECISIONS, REJECTIONS, Kind, RecordBook
from agents.config import Config
from agents.roles.common import id_of, run_app
from agents.roles.ledger_app import ledger_app
from agents.upkeep import Upkeep
from spendgate.model.topics import Topic, Topics, load_topics


class _Recorded(NamedTuple):
    kind: Kind
    topic_of: Callable[[Topics], Topic]


RECORDED: Mapping[str, _Recorded] = {
    "ledger-decisions": _Recorded(DECISIONS, lambda topics: topics.decisions),
    "ledger-checks": _Recorded(CHECKS, lambda topics: topics.checks),
    "ledger-rejections": _Recorded(REJECTIONS, lambda topics: topics.rejected),
}


def run(role: str, config: Config) -> int:
    """See ``agents.roles``."""
    kind, topic_of = RECORDED[role]
    topic = topic_of(load_topics())
    named = id_of(config, topic)
    upkeep = Upkeep(config.ledger or "", topic.name, named, (kind.table,), timer=config.timer)
    return run_app(ledger_app(config, topic, upkeep, lambda at, covered: RecordBook(topic, named, at, covered, kind)))
