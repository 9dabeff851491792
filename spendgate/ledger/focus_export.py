"""A tenant's ledger as a FOCUS cost export: every call that has a cost, by the latest correction of it."""

from collections.abc import Iterator, Sequence
from functools import cached_property

import pyarrow as pa

from spendgate.ledger.amendments import COLUMNS, Amendments, amendments, marked_calls
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.export_formats import Grain
from spendgate.ledger.focus_charges import NEEDED, charges, corrected, is_call
from spendgate.ledger.focus_rows import focus_rows
from spendgate.ledger.focus_sums import summed
from spendgate.ledger.row_filter import Wanted

BATCH_ROWS = 16_384


class FocusExport:
    """``wanted``: of the calls as they were recorded; corrections are used whenever they came. ``imported``: with calls
    that were never in a log. Its methods raise LedgerError.

    Memory: the tenant's annotations, and what ``focus_sums`` holds.
    """

    def __init__(self, ledger: Ledger, tenant: str, wanted: Wanted, *, imported: bool) -> None:
        self._ledger, self._tenant, self._wanted, self._imported = ledger, tenant, wanted, imported

    @cached_property
    def amended(self) -> Amendments:
        """What annotations say, by the numbers of all the tenant's rows."""
        first, second = (self._ledger.event_batches(self._tenant, list(COLUMNS)) for _ in range(2))
        return amendments(first, second, marked_calls)

    def unpriced(self) -> int:
        """How many wanted calls have no cost: they can be in no sum of money, and are left out."""
        needed = dict.fromkeys([*COLUMNS, "topic_id", *self._wanted.columns("events")])
        return sum(batch["cost_nano_usd"].null_count for batch in self._calls(list(needed)))

    def rows(self, grain: Grain) -> Iterator[pa.Table]:
        """Rows of ``focus_rows.schema_of(grain)``; summed ones by period, those of calls in the order of the ledger."""
        needed = dict.fromkeys([*NEEDED, *self._wanted.columns("events")])
        calls = (each.filter(each["cost_nano_usd"].is_valid()) for each in self._calls(list(needed)))
        found = (charges(each, grain) for each in calls)
        for each in found if grain == "call" else summed(found):
            yield focus_rows(each, self._tenant, grain)

    def _calls(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The wanted calls as their annotations have them."""
        first = 0
        for batch in self._batches(columns):
            end = first + batch.num_rows
            batch = corrected(batch, self.amended.between(first, end))
            first = end
            yield batch.filter(pa.array(is_call(batch, imported=self._imported) & self._wanted.hits(batch, "events")))

    def _batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows, for annotations go by their numbers; where there are none, those of the times that are wanted."""
        from_, to = (None, None) if len(self.amended.rows) else (self._wanted.from_, self._wanted.to)
        return self._ledger.event_batches(self._tenant, columns, from_, to, BATCH_ROWS)
