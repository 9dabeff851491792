"""What an adapter finds in a request's body."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from spendgate.ledger.reader_problem import Refused
from spendgate.model.event import Event


class ItemProblem(NamedTuple):
    """Why one item was not taken: its place in the body, from 0, the field, what was expected. No value of it."""

    place: int
    field: str | None
    expected: str


class BadBody(ValueError):
    """The body as a whole is not what it should be. The message is fit for the sender and holds nothing of it."""


@dataclass
class Found:
    """Events in the order of the body, the items that are none, and the content fields that were met and not read."""

    events: list[Event] = field(default_factory=list)
    problems: list[ItemProblem] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)


def collected(items: Iterable[Event | Refused], dropped: list[str]) -> Found:
    """What a reader of rows gives, whose lines count from 1, as found items. ``dropped`` is filled while it reads."""
    found = Found(dropped=dropped)
    for item in items:
        if isinstance(item, Refused):
            found.problems.append(ItemProblem(item.line - 1, item.field, item.expected))
        else:
            found.events.append(item)
    return found
