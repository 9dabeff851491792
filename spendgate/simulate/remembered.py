"""A history that is read once and then passed from memory: for one simulation after another of a draft."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from spendgate.simulate.history import Passed

BATCH_ROWS = 131_072


@dataclass
class Remembered(Passed):
    """Another history, whose columns are kept once they were read; a million calls are about a hundred megabytes.

    Only for one that gives the same rows in the same order whenever it is passed, whatever columns are asked for: a
    ledger at one version is.
    """

    _read: dict[str, pa.Table] = field(default_factory=dict)

    def batches(self, columns: Sequence[str], tenant: str | None = None) -> Iterator[Any]:
        """See History."""
        for each in [tenant] if tenant is not None else self.tenants() or ():
            rows = self._table(each, columns)
            if rows.num_rows:
                yield from rows.select(list(dict.fromkeys(columns))).to_batches(BATCH_ROWS)

    def _table(self, tenant: str, columns: Sequence[str]) -> pa.Table:
        known = self._read.get(tenant)
        missing = [name for name in dict.fromkeys(columns) if known is None or name not in known.column_names]
        if missing:
            read = list(self.history.batches(missing, tenant))
            found = _whole(read, missing) if read else pa.table({name: pa.array([], pa.null()) for name in missing})
            self._read[tenant] = found if known is None else _beside(known, found)
        return self._read[tenant]


def _beside(rows: pa.Table, more: pa.Table) -> pa.Table:
    for name in more.column_names:
        rows = rows.append_column(more.schema.field(name), more[name])
    return rows


def _whole(batches: list[Any], columns: Sequence[str]) -> pa.Table:
    """One chunk a column, texts with one dictionary for all rows."""
    return pa.Table.from_batches(batches).select(columns).unify_dictionaries().combine_chunks()
