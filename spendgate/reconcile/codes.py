"""Columns as integers that can be compared: texts by number, instants in their unit, what is absent as one value."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spendgate.engine.rules import Int
from spendgate.model.decision import CODES, VERDICTS

ABSENT = -(2**63)
"""Stands for what is null: no count, sum or instant has this value."""


@dataclass(slots=True)
class Codes:
    """Texts numbered as they come, the same text always by the same number.

    ``verdicts`` and ``reasons``: the numbers of VERDICTS and of CODES."""

    verdicts: Int = field(init=False)
    reasons: Int = field(init=False)
    _numbers: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.verdicts, self.reasons = self.all_of(VERDICTS), self.all_of(CODES)

    def of(self, text: str) -> int:
        """The number of a text."""
        return self._numbers.setdefault(text, len(self._numbers))

    def all_of(self, texts: Iterable[str]) -> Int:
        """The numbers of some texts."""
        return np.array([self.of(text) for text in texts], np.int64)

    def column(self, column: Any) -> Int:
        """The numbers of a column of texts; ABSENT where null."""
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        known = self._numbers
        table = [ABSENT if v is None else known.setdefault(v, len(known)) for v in column.dictionary.to_pylist()]
        numbers = np.array([*table, ABSENT], np.int64)
        return numbers[filled(column.indices, len(table))]


def filled(column: Any, value: int = ABSENT) -> Int:
    """A column of numbers or instants (in its own unit) as int64, ``value`` where null."""
    if pa.types.is_timestamp(column.type):
        column = column.view(pa.int64())
    if column.null_count == len(column):
        return np.full(len(column), value, np.int64)
    if column.null_count:
        column = pc.fill_null(column.cast(pa.int64()), value)
    return cast("Int", column.to_numpy(zero_copy_only=False).astype(np.int64, copy=False))
