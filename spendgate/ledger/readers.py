"""Events out of other people's files: JSONL, CSV, the Azure LLM trace. A bad row never stops the rest."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from spendgate.ledger.reader_azure import HEADER, read_azure
from spendgate.ledger.reader_csv import Columns, delimiter_of, read_csv
from spendgate.ledger.reader_jsonl import read_jsonl
from spendgate.ledger.reader_lines import Lines
from spendgate.ledger.reader_options import Format, ReadOptions
from spendgate.ledger.reader_problem import InputError, Refused
from spendgate.model.event import Event

__all__ = ["InputError", "ReadOptions", "Reading", "Refused", "read_events"]


class Reading:
    """One pass over a stream: iterate it for events and refused rows, in the order of the file.

    ``format``: what the file was found to be. ``ignored``: columns of a CSV file that are not read.
    ``bytes_read``: how far the pass has come. Raises InputError for a file that cannot be one of the formats.
    """

    def __init__(self, stream: BinaryIO, options: ReadOptions) -> None:
        self.ignored: list[str] = []
        self._lines = Lines(stream)
        self.format = options.format if options.format != "auto" else _detect(self._lines.peek())
        self._items = self._open(options)

    def __iter__(self) -> Iterator[Event | Refused]:
        return self._items

    @property
    def bytes_read(self) -> int:
        """Bytes of the stream read so far."""
        return self._lines.bytes_read

    def _open(self, options: ReadOptions) -> Iterator[Event | Refused]:
        if self.format == "jsonl":
            return read_jsonl(self._lines, options)
        header = next(self._lines, b"").decode("utf-8", "replace").strip()
        if self.format == "azure":
            if header != HEADER:
                raise InputError(f"line 1: expected the header {HEADER}")
            return read_azure(self._lines, options)
        columns = Columns(next(csv.reader([header], delimiter=delimiter_of(header)), []), options)
        self.ignored = columns.ignored
        return read_csv(self._lines, header, columns, options)


def _detect(first: bytes) -> Format:
    if not first.strip():
        raise InputError("line 1: expected an event as JSON, or the header of a CSV file")
    if first.lstrip()[:1] in (b"{", b"["):
        return "jsonl"
    return "azure" if first.strip() == HEADER.encode() else "csv"


def read_events(
    path: Path, options: ReadOptions, on_refused: Callable[[Refused], None] | None = None
) -> Iterator[Event]:
    """The events of a file in its order; refused rows go to ``on_refused``.

    Raises InputError for a file that cannot be one of the formats, and OSError.
    """
    with path.open("rb") as stream:
        for item in Reading(stream, options):
            if isinstance(item, Event):
                yield item
            elif on_refused is not None:
                on_refused(item)
