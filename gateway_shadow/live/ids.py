"""The ids of live events: how far a stream has come on the topic of decisions, so that it can go on from there.

All decisions of a tenant stand in one partition, so one place says it all. A place is the next that is to be looked at:
``partition.offset.item``, the message's offset and the index in the message.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from spendgate.model.decision import Decision

_SHAPE = re.compile(r"([0-9]{1,9})\.([0-9]{1,18})\.([0-9]{1,9})")


class Place(NamedTuple):
    """A decision's place, or that of the next one."""

    partition: int
    offset: int
    item: int = 0

    @property
    def id(self) -> str:
        """As the streams have it."""
        return ".".join(map(str, self))


@dataclass(slots=True)
class Told:
    """A decision, and the place after it."""

    decision: Decision
    after: Place
    _text: str = field(default="", repr=False, compare=False)

    @property
    def text(self) -> str:
        """The decision as JSON; many may watch it, and it is encoded once."""
        if not self._text:
            self._text = msgspec.json.encode(self.decision).decode()
        return self._text


def place_of(text: str) -> Place | None:
    """The place of an id; None for what was never one."""
    found = _SHAPE.fullmatch(text)
    return None if found is None else Place(*map(int, found.groups()))
