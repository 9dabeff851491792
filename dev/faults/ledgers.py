"""Whether a world's ledger has all that its topics have."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from dev.trial.world import World
from spendgate.cli.ledger import topic_offsets_of
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_tables import TableName
from spendgate.ledger.delta_verify import Offsets, Source, verify
from spendgate.ledger.ledger_errors import LedgerError


def offsets_of(world: World) -> Mapping[TableName, Mapping[Source, Offsets]]:
    """What the broker says of the topics behind the ledger."""
    with environment_of(world):
        return topic_offsets_of(world.broker.bootstrap)


def is_recorded(world: World) -> bool:
    """Whether every record of both topics is there, and nothing twice."""
    try:
        verified = verify(Ledger.open(world.ledger), offsets_of(world))
    except LedgerError:
        return False
    return verified.complete and not any(source.behind for source in verified.sources)


@contextmanager
def environment_of(world: World) -> Iterator[None]:
    """The environment of an agent, of which the command line reads where things are."""
    wanted = world.environment()
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
