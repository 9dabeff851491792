"""Events out of other people's files, whatever their format. A bad row never stops the rest."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from msgspec.structs import replace

from spendgate.ledger.reader_azure import HEADER, read_azure
from spendgate.ledger.reader_cloudevents import CloudEvents
from spendgate.ledger.reader_csv import Columns, header_names, read_csv
from spendgate.ledger.reader_detect import detect, detect_columns
from spendgate.ledger.reader_documents import Documents
from spendgate.ledger.reader_folder import files_of
from spendgate.ledger.reader_jsonl import read_jsonl
from spendgate.ledger.reader_lines import Lines
from spendgate.ledger.reader_litellm import COLUMNS, CONTENT, LiteLLM
from spendgate.ledger.reader_options import ReadOptions
from spendgate.ledger.reader_otel import OTel
from spendgate.ledger.reader_problem import InputError, Refused
from spendgate.ledger.reader_rows import Dropped, calls_of, csv_rows, json_rows
from spendgate.ledger.reader_stream import Stream
from spendgate.model.event import Event

if TYPE_CHECKING:
    import pyarrow as pa

    from spendgate.ledger.reader_parquet import ParquetFile

__all__ = ["FolderReading", "InputError", "ReadOptions", "Reading", "Refused", "open_reading", "read_events"]

Items = Iterator[Event | Refused]
Parts = Iterator["pa.RecordBatch | list[Event | Refused]"]
T = TypeVar("T")


class Reading:
    """One pass over a stream: iterate it for events and refused rows, in the order of the file.

    ``format``: what the file was found to be. ``ignored``: columns of a table that are not read. ``dropped``: content
    fields met so far, none of which is read. ``bytes_read``: how far the pass has come. ``file``: the name that its
    refused rows carry, which also sets the ids of rows without one apart. Raises InputError for a file that cannot
    be one of the formats and, if the options are strict, for the first row that cannot be read.
    """

    def __init__(self, stream: BinaryIO, options: ReadOptions, file: str | None = None) -> None:
        self.ignored: list[str] = []
        self._dropped = Dropped()
        self._own: Parts | None = None
        self._told = (file, options.strict)
        self._stream = Stream(stream)
        self._salt = file or ""
        self.format: str = options.format if options.format != "auto" else detect(self._stream)
        opened = self._stream.told(self._opened(options))
        self._items = _finished(opened, file, strict=options.strict) if file or options.strict else opened

    def __iter__(self) -> Items:
        return self._items

    def parts(self, size: int) -> "Parts":
        """The same as by iterating, in the same order, in lists of at most ``size``; rows of a Parquet file of our own
        columns come as batches of ``columns.EVENTS`` where all of them are events. Iterate one or the other."""
        if self._own is None:
            yield from _in_lists(self._items, size)
            return
        file, strict = self._told
        for part in self._own:
            yield list(_finished(iter(part), file, strict=strict)) if isinstance(part, list) else part

    @property
    def bytes_read(self) -> int:
        """Bytes of the stream read so far."""
        if self._stream.is_packed or self.format == "parquet":
            return self._stream.place
        return self._text.bytes_read

    @property
    def dropped(self) -> list[str]:
        """Content fields met so far."""
        return self._dropped.names

    def _opened(self, options: ReadOptions) -> Items:
        if self._stream.is_parquet or options.format == "parquet":
            return self._parquet(options)
        if self.format in ("otel", "cloudevents") or (self.format == "litellm" and self._is_json()):
            return self._documents(options)
        self._text: Lines | Documents = (lines := Lines(self._stream.text, self._salt))
        lines.peek()
        if self.format == "jsonl":
            return read_jsonl(lines, options)
        return self._table(lines, options)

    def _is_json(self) -> bool:
        return self._stream.head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")

    def _documents(self, options: ReadOptions) -> Items:
        self._text = Documents(self._stream.text, self._salt)
        if self.format == "litellm":
            return calls_of(json_rows(self._text, "data"), LiteLLM(options, self._dropped).format, options)
        rows = json_rows(self._text)
        if self.format == "otel":
            return OTel(options, self._dropped).calls(rows)
        return CloudEvents(options, self._dropped).calls(rows)

    def _table(self, lines: Lines, options: ReadOptions) -> Items:
        header = next(lines, b"").decode("utf-8", "replace").strip()
        if self.format == "azure":
            if header != HEADER:
                raise InputError(f"line 1: expected the header {HEADER}")
            return read_azure(lines, options)
        names = header_names(header)
        if self.format == "litellm":
            known = LiteLLM(options, self._dropped).format
            self.ignored = [each for each in names if each not in (*COLUMNS, *CONTENT)]
            return calls_of(csv_rows(lines, header, names), known, options)
        columns = Columns(names, options)
        self.ignored = columns.ignored
        return read_csv(lines, header, columns, options)

    def _parquet(self, options: ReadOptions) -> Items:
        from spendgate.ledger.reader_arrow import is_own
        from spendgate.ledger.reader_parquet import ParquetFile, read_own, read_parquet

        file = ParquetFile(self._stream.seekable(), self._salt)
        known = "litellm" if self.format == "litellm" else detect_columns(set(file.names))
        self.format = "parquet"
        if known == "litellm":
            return self._parquet_litellm(file, options)
        columns = Columns(file.names, options)
        self.ignored = columns.ignored
        if is_own(file.schema, columns.mapping):
            self._own = read_own(file, columns, options)
        return read_parquet(file, columns, options)

    def _parquet_litellm(self, file: "ParquetFile", options: ReadOptions) -> Items:
        self.format = "litellm"
        self.ignored = [each for each in file.names if each not in (*COLUMNS, *CONTENT)]
        for each in CONTENT:
            if each in file.names:
                self._dropped.note(each)
        rows = file.read([each for each in COLUMNS if each in file.names], with_identity=True)
        return calls_of(rows, LiteLLM(options, self._dropped).format, options)


def _in_lists(items: Items, size: int) -> Iterator[list[Event | Refused]]:
    while part := list(islice(items, size)):
        yield part


def _finished(items: Items, file: str | None, *, strict: bool) -> Items:
    for item in items:
        if isinstance(item, Event):
            yield item
            continue
        refused = item if file is None else replace(item, file=file)
        if strict:
            raise InputError(str(refused))
        yield refused


class FolderReading:
    """One pass over all files of a folder, in the order of their names, as if they were one; see Reading.

    ``format``: those of its files, in the order in which they were met. An empty file is passed over.
    """

    def __init__(self, folder: Path, options: ReadOptions) -> None:
        self._folder, self._options = folder, options
        self._files = files_of(folder)
        self._formats: list[str] = []
        self._before = 0
        self._reading: Reading | None = None
        self.ignored: list[str] = []
        self.dropped: list[str] = []
        self._items = self._through(iter)

    def __iter__(self) -> Items:
        return self._items

    @property
    def format(self) -> str:
        """The formats met so far, such as ``csv, parquet``."""
        return ", ".join(self._formats)

    @property
    def bytes_read(self) -> int:
        """Bytes of all files read so far."""
        return self._before + (0 if self._reading is None else self._reading.bytes_read)

    def parts(self, size: int) -> "Parts":
        """See ``Reading.parts``."""
        return self._through(lambda reading: reading.parts(size))

    def _through(self, read: Callable[[Reading], Iterator[T]]) -> Iterator[T]:
        for path in self._files:
            file = path.relative_to(self._folder).as_posix()
            try:
                yield from self._one(path, file, read)
            except InputError as error:
                text = str(error)
                raise InputError(text if text.startswith(f"{file}: ") else f"{file}: {text}") from None

    def _one(self, path: Path, file: str, read: Callable[[Reading], Iterator[T]]) -> Iterator[T]:
        size = path.stat().st_size
        if size:
            with path.open("rb") as stream:
                self._reading = reading = Reading(stream, self._options, file)
                yield from read(reading)
                self._reading = None
            _add(self._formats, [reading.format])
            _add(self.ignored, reading.ignored)
            _add(self.dropped, reading.dropped)
        self._before += size


def _add(known: list[str], more: list[str]) -> None:
    known += [each for each in more if each not in known]


@contextmanager
def open_reading(path: Path, options: ReadOptions) -> Iterator[Reading | FolderReading]:
    """A pass over a file, or over all files of a folder. Raises InputError and OSError."""
    if path.is_dir():
        yield FolderReading(path, options)
        return
    with path.open("rb") as stream:
        yield Reading(stream, options)


def read_events(
    path: Path, options: ReadOptions, on_refused: Callable[[Refused], None] | None = None
) -> Iterator[Event]:
    """The events of a file, or of all files of a folder, in order; refused rows go to ``on_refused``.

    Raises InputError for a file that cannot be one of the formats, and OSError.
    """
    with open_reading(path, options) as reading:
        for item in reading:
            if isinstance(item, Event):
                yield item
            elif on_refused is not None:
                on_refused(item)
