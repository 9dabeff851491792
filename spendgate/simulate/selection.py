"""Which of the recorded calls a simulation is about."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import reduce
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

_OF_ALL = ("tenant", "source")
"""The fields that an annotation has in common with its call."""


class Selection(NamedTuple):
    """Calls of ``[from_, to)`` by their own time, and ``where`` a field has a value (None: is unknown).

    An annotation has a later time than its call and no owners, so annotations are chosen by tenant and source alone:
    a call that is chosen keeps its outcome and its corrections.
    """

    from_: datetime | None = None
    to: datetime | None = None
    where: Mapping[str, str | None] = {}

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that choosing needs."""
        times = ("time",) if self.from_ or self.to else ()
        return ("kind", *times, *self.where) if times or self.where else ()

    def tenants_of(self, tenants: Sequence[str]) -> list[str]:
        """Those of the tenants that may have a chosen row."""
        return [tenant for tenant in tenants if self.where.get("tenant", tenant) == tenant]

    def of(self, batch: Any) -> Any:
        """The chosen rows of a batch."""
        if not self.columns:
            return batch
        owned = _all(self._of_calls(batch), batch.num_rows)
        is_annotation = pc.not_equal(batch["kind"], "call")
        return batch.filter(pc.and_(_all(self._of_all(batch), batch.num_rows), pc.or_(is_annotation, owned)))

    def _of_calls(self, batch: Any) -> Iterator[Any]:
        if self.from_ is not None:
            yield pc.greater_equal(batch["time"], pa.scalar(self.from_, batch["time"].type))
        if self.to is not None:
            yield pc.less(batch["time"], pa.scalar(self.to, batch["time"].type))
        yield from (_is(batch[name], value) for name, value in self.where.items() if name not in _OF_ALL)

    def _of_all(self, batch: Any) -> Iterator[Any]:
        return (_is(batch[name], value) for name, value in self.where.items() if name in _OF_ALL)


EVERYTHING = Selection()


def _is(column: Any, value: str | None) -> Any:
    return pc.is_null(column) if value is None else pc.fill_null(pc.equal(column, value), False)


def _all(tests: Iterator[Any], rows: int) -> Any:
    return reduce(pc.and_, tests, pa.repeat(True, rows))
