"""Which rows of a table are wanted, by their own time."""

from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc


class Times(NamedTuple):
    """``[from_, to)``, aware instants; ``but_annotations``: rows that are no calls are wanted whatever their time."""

    from_: datetime | None = None
    to: datetime | None = None
    but_annotations: bool = False

    def may_be_in(self, least: datetime, greatest: datetime) -> bool:
        """Whether rows between these times, both included, may be wanted."""
        if self.but_annotations:
            return True
        return (self.to is None or least < self.to) and (self.from_ is None or greatest >= self.from_)

    def tests(self, column: str) -> list[pc.Expression]:
        """What every wanted row satisfies; ``column``: the time's. Raises ValueError for a naive instant."""
        if any(at is not None and at.tzinfo is None for at in (self.from_, self.to)):
            raise ValueError("from_, to: expected aware instants")
        time = pc.field(column)
        found = [] if self.from_ is None else [time >= pa.scalar(self.from_)]
        found += [] if self.to is None else [time < pa.scalar(self.to)]
        return [test | (pc.field("kind") != "call") for test in found] if self.but_annotations else found
