"""Events of one tenant, in log order, on their way into columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from spendgate.engine.batch import UNKNOWN
from spendgate.engine.classes import Classes, Values, values_getter
from spendgate.engine.counters import Counters
from spendgate.engine.rules import Int
from spendgate.model.event import Event
from spendgate.model.identity import identity_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


@dataclass(slots=True)
class Calls:
    """Parallel lists, one entry an event: where it stands, when the broker took it (ms), and the event."""

    offsets: list[int] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)
    received_ms: list[int] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def add_message(self, offset: int, received_ms: int, indexes: Sequence[int], events: Sequence[Event]) -> None:
        """Append the events of one message."""
        count = len(events)
        self.offsets += [offset] * count
        self.received_ms += [received_ms] * count
        self.indexes += indexes
        self.events += events

    def take(self, places: Sequence[int]) -> "Calls":
        """The entries at ``places``."""
        return Calls(
            [self.offsets[i] for i in places],
            [self.indexes[i] for i in places],
            [self.received_ms[i] for i in places],
            [self.events[i] for i in places],
        )


def time_ms(at: datetime) -> int:
    """An aware instant as whole milliseconds since the epoch, cut downwards."""
    return (at - EPOCH) // _MS


def times_ms(events: Sequence[Event]) -> Int:
    """The events' own times."""
    return np.array([(event.time - EPOCH) // _MS for event in events], np.int64)


def costs(events: Sequence[Event]) -> Int:
    """Costs in nano-USD, UNKNOWN where unpriced."""
    found = [event.cost_nano_usd for event in events]
    return np.array([UNKNOWN if cost is None else cost for cost in found], np.int64)


def token_counts(events: Sequence[Event], name: str) -> Int:
    """A count of tokens, UNKNOWN where not said."""
    return np.array([UNKNOWN if (n := getattr(event, name)) is None else n for event in events], np.int64)


def identities(events: Sequence[Event]) -> list[int]:
    """The events' identities within their tenant."""
    return [identity_of(event.source, event.id) for event in events]


def classes_of(events: Sequence[Event], classes: Classes) -> Int:
    """The class of each event."""
    values_of, class_of = classes.values_of, classes.class_of
    return np.array([class_of(values_of(event)) for event in events], np.int64)


def keys_of(events: Sequence[Event], groups: Sequence[tuple[str, ...]], counters: Counters) -> Int:
    """The key number of each event under each ``per``; shape (groups, events)."""
    keys = np.zeros((len(groups), len(events)), np.int64)
    for row, fields in enumerate(groups):
        keys[row] = _keys_under(events, fields, counters)
    return keys


def _keys_under(events: Sequence[Event], fields: tuple[str, ...], counters: Counters) -> list[int]:
    known, values_of = counters.keys(fields), values_getter(fields)

    def key(values: Values) -> int:
        found = known.get(values)
        return counters.new_key(fields, values) if found is None else found

    return [key(values_of(event)) for event in events]
