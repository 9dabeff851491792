"""What an adapter finds in a request's body."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from spendgate.ledger.reader_problem import Refused
from spendgate.model.event import Event


class ItemProblem(NamedTuple):
    """Why one item was not taken: its place in the body, from 0, where that can be told, the field, what was expected.
    No value of it."""

    place: int | None
    field: str | None
    expected: str


class Content(NamedTuple):
    """What was said in a call, as JSON values, None where nothing was met; never a part of the event itself.

    ``names``: the fields that it stood in. ``is_handed_over``: the sender has put it where content belongs; else it was
    met along the way. What becomes of it is decided in ``gateway_shadow.privacy.handling`` alone.
    """

    prompt: Any
    response: Any
    names: tuple[str, ...]
    is_handed_over: bool = False


class BadBody(ValueError):
    """The body as a whole is not what it should be. The message is fit for the sender and holds nothing of it."""


@dataclass
class Found:
    """Events in the order of the body, the items that are none, and the content fields that were met and not read.

    ``places[i]``: the place of ``events[i]`` in the body, where it can be told. ``contents``: by index in ``events``.
    """

    events: list[Event] = field(default_factory=list)
    problems: list[ItemProblem] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    places: list[int | None] = field(default_factory=list)
    contents: dict[int, Content] = field(default_factory=dict)

    def add(self, event: Event, place: int | None, content: Content | None) -> None:
        """One more event."""
        if content is not None:
            self.contents[len(self.events)] = content
        self.events.append(event)
        self.places.append(place)


def collected(items: Iterable[Event | Refused], dropped: list[str]) -> Found:
    """What a reader of rows gives, whose lines count from 1, as found items. ``dropped`` is filled while it reads."""
    found = Found(dropped=dropped)
    for item in items:
        if isinstance(item, Refused):
            found.problems.append(ItemProblem(item.line - 1, item.field, item.expected))
        else:
            found.add(item, None, None)
    return found
