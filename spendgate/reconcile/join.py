"""The join: decisions that a replay owes with those that were published, by the position of their call.

Nothing is compared but two decisions of one call, and nothing is averaged. ``decided_at`` is the one field in which
they may differ.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from spendgate.model.decision import Decision
from spendgate.model.reconciliation import Kind

Place = tuple[int, int]
"""Offset of the message, and index in it."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Difference(NamedTuple):
    """One call on which the two do not agree. ``owed`` is None for an extra decision, ``found`` for a missing one; of a
    call with several differing decisions ``found`` is the first that is not what was owed, or not what came first."""

    kind: Kind
    place: Place
    owed: Decision | None
    found: Decision | None


@dataclass(slots=True)
class Found:
    """The published decisions of one tenant and partition, by place. ``repeated``: the same again, which is no harm."""

    first: dict[Place, Decision] = field(default_factory=dict)
    other: dict[Place, Decision] = field(default_factory=dict)
    repeated: int = 0

    def add(self, decision: Decision) -> None:
        """One decision, in the order of its topic."""
        place = place_of(decision)
        known = self.first.setdefault(place, decision)
        if known is decision:
            return
        if timeless(known) == timeless(decision):
            self.repeated += 1
        else:
            self.other.setdefault(place, decision)


def place_of(decision: Decision) -> Place:
    """Where the call of a decision stands in its partition."""
    return decision.position.offset, decision.position.index


def timeless(decision: Decision) -> Decision:
    """A decision without the instant at which it was made."""
    return msgspec.structs.replace(decision, decided_at=_NEVER)


def difference(owed: Decision, found: Found) -> Difference | None:
    """What is wrong with what was published of a call; None if it matches. Several differences count as one, the worst
    first: a mismatch, then a duplicate that differs."""
    place = place_of(owed)
    first = found.first.get(place)
    if first is None:
        return Difference("missing", place, owed, None)
    if timeless(first) != timeless(owed):
        return Difference("mismatched", place, owed, first)
    other = found.other.get(place)
    return None if other is None else Difference("duplicate_differs", place, owed, other)


def extras(found: Found) -> Iterator[Difference]:
    """What is left of the published decisions: of calls that owe none."""
    for place in sorted(found.first):
        yield Difference("extra", place, None, found.first[place])
