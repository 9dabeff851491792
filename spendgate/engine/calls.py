"""Events of one tenant, in log order, on their way into columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import cast

import numpy as np

from spendgate.engine.batch import UNKNOWN
from spendgate.engine.classes import Classes, Values
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
    return token_counts(events, "cost_nano_usd")


def token_counts(events: Sequence[Event], name: str) -> Int:
    """A count, UNKNOWN where not said."""
    found = list(map(attrgetter(name), events))
    if None in found:
        found = [UNKNOWN if number is None else number for number in found]
    return np.array(found, np.int64)


def identities(events: Sequence[Event]) -> list[int]:
    """The events' identities within their tenant."""
    return [identity_of(event.source, event.id) for event in events]


def classes_of(events: Sequence[Event], classes: Classes) -> Int:
    """The class of each event."""
    return np.fromiter(map(classes.class_of, map(classes.values_of, events)), np.int64, len(events))


def keys_of(events: Sequence[Event], groups: Sequence[tuple[str, ...]], counters: Counters) -> Int:
    """The key number of each event under each ``per``; shape (groups, events)."""
    keys = np.zeros((len(groups), len(events)), np.int64)
    for row, fields in enumerate(groups):
        keys[row] = _keys_under(events, fields, counters)
    return keys


def _keys_under(events: Sequence[Event], fields: tuple[str, ...], counters: Counters) -> list[int] | int:
    """By event; or the one number that all have."""
    known = counters.keys(fields)
    if not fields:
        return known[()] if () in known else counters.new_key(fields, ())
    found = list(map(known.get, _values_under(events, fields)))
    if None in found:
        for values in dict.fromkeys(_values_under(events, fields)):
            if values not in known:
                counters.new_key(fields, values)
        found = list(map(known.get, _values_under(events, fields)))
    return cast("list[int]", found)


def _values_under(events: Sequence[Event], fields: tuple[str, ...]) -> Iterator[Values]:
    """The events' values, as tuples made without a Python call each."""
    return zip(*(map(attrgetter(name), events) for name in fields), strict=True)
