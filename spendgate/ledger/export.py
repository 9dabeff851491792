"""A ledger's events or decisions as one file: Parquet, CSV, JSON lines, or a FOCUS cost export."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import BinaryIO, NamedTuple

import pyarrow as pa

from spendgate.ledger.delta_reader import IMPORTED, Ledger
from spendgate.ledger.delta_selection import Selection, rows
from spendgate.ledger.delta_tables import SHAPES
from spendgate.ledger.export_formats import Exported, Format, Grain
from spendgate.ledger.export_writers import Write, columns_of, csv_writer, flat, jsonl_writer, parquet_writer
from spendgate.ledger.focus_columns import VERSION
from spendgate.ledger.focus_export import FocusExport
from spendgate.ledger.focus_rows import schema_of
from spendgate.ledger.reader_problem import InputError
from spendgate.ledger.row_filter import Wanted


class Asked(NamedTuple):
    """What is to be exported. ``imported``: with events that were never in a log, which come first. ``grain``: of
    a FOCUS export, what a row stands for."""

    table: Exported
    format: Format
    wanted: Wanted = Wanted()
    imported: bool = False
    grain: Grain = "day"

    @property
    def is_focus(self) -> bool:
        """Whether it is a cost export."""
        return self.format.startswith("focus")


class Export:
    """One export of some tenants of a ledger at fixed versions. Its methods raise LedgerError.

    Raises InputError for a cost export of anything but events.
    """

    def __init__(self, ledger: Ledger, tenants: Sequence[str], asked: Asked) -> None:
        if asked.is_focus and asked.table != "events":
            raise InputError("format: expected parquet, csv or jsonl; a cost export is of events")
        self._ledger, self._tenants, self._asked = ledger, tenants, asked

    @property
    def version(self) -> int | None:
        """The version of the table that is read; None where it has not been made."""
        return self._ledger.versions.get(self._asked.table)

    @cached_property
    def unpriced(self) -> int | None:
        """How many wanted calls a cost export leaves out, for they have no cost; None for another export."""
        return sum(each.unpriced() for each in self._costs) if self._asked.is_focus else None

    def write(self, sink: BinaryIO, on_rows: Callable[[int], None] = lambda _: None) -> int:
        """Write it whole; returns the rows. ``on_rows`` is told of each part. Raises what the sink raises, too."""
        written = 0
        with self._writer(sink) as write:
            for part in self._parts():
                write(part)
                written += part.num_rows
                on_rows(part.num_rows)
        return written

    def _parts(self) -> Iterator[pa.Table]:
        if self._asked.is_focus:
            for each in self._costs:
                yield from each.rows(self._asked.grain)
            return
        for tenant in self._tenants:
            for batch in self._rows(tenant):
                found = pa.Table.from_batches([batch])
                yield flat(found, self._asked.table) if self._asked.format == "csv" else found

    def _rows(self, tenant: str) -> Iterator[pa.RecordBatch]:
        wanted = self._asked.wanted
        if self._asked.imported and self._asked.table == "events":
            for batch in self._ledger.event_batches(tenant, None, wanted.from_, wanted.to, part=IMPORTED):
                yield batch.filter(pa.array(wanted.hits(batch, "events")))
        yield from rows(self._ledger, Selection(self._asked.table, tenant, wanted))

    @cached_property
    def _costs(self) -> list[FocusExport]:
        asked = self._asked
        return [FocusExport(self._ledger, each, asked.wanted, imported=asked.imported) for each in self._tenants]

    def _writer(self, sink: BinaryIO) -> AbstractContextManager[Write]:
        asked, shape = self._asked, SHAPES[self._asked.table]
        about = {"spendgate.table": asked.table, "spendgate.ledgerVersion": str(self.version)}
        match asked.format:
            case "parquet":
                return parquet_writer(sink, shape.schema, about, shape.row_group_rows)
            case "csv":
                return csv_writer(sink, columns_of(asked.table))
            case "jsonl":
                return jsonl_writer(sink, asked.table)
            case "focus":
                return csv_writer(sink, schema_of(asked.grain).names)
        return parquet_writer(sink, schema_of(asked.grain), {**about, "focusVersion": VERSION})
