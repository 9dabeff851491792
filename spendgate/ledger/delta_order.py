"""Rows of data files in ledger order, streamed: a file is sorted only together with those that it overlaps.

Ledger order of a tenant: rows that were never in a log first, by time, equal times as they were imported; then by era
of the topic (the topic id whose records were received first comes first), partition, offset, index.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.fs as pafs

from spendgate.ledger.arrow_values import dictionary_of
from spendgate.ledger.delta_files import DataFile
from spendgate.ledger.delta_tables import Shape

Eras = Mapping[str, int]
"""Topic id to the place of its era."""
_IMPORTED = -1
_LATER = datetime.max.replace(tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE = ("topic_id", "partition", "offset", "index")
_READ_AHEAD_FILES, _READ_AHEAD_BATCHES = 2, 4
_Key = tuple[float, ...]


def eras_of(files: Iterable[DataFile]) -> Eras:
    """The eras of the topic ids in these files, which must be all files of the table."""
    first: dict[str, datetime] = {}
    for file in files:
        if file.source is not None:
            topic_id = file.source[0]
            first[topic_id] = min(first.get(topic_id, _LATER), file.least.get("received_at") or _EPOCH)
    return {topic_id: era for era, topic_id in enumerate(sorted(first, key=lambda each: (first[each], each)))}


def runs(files: Iterable[DataFile], shape: Shape, eras: Eras) -> Iterator[list[DataFile]]:
    """The files in ledger order, those whose rows may interleave together in one run."""
    run: list[DataFile] = []
    end: _Key = ()
    for low, high, file in sorted(((*_ends(file, shape, eras), file) for file in files), key=lambda each: each[:2]):
        if run and low > end:
            yield run
            run, end = [], ()
        run.append(file)
        end = max(end, high)
    if run:
        yield run


def _ends(file: DataFile, shape: Shape, eras: Eras) -> tuple[_Key, _Key]:
    """The keys of a file's first and last row. A file of unknown order may hold any."""
    if not file.ours:
        return (float("-inf"),), (float("inf"),)
    if file.source is None:
        age = file.number, file.chunk
        return (_IMPORTED, 0, _us(file.least[shape.time]), *age), (_IMPORTED, 0, _us(file.greatest[shape.time]), *age)
    place = eras[file.source[0]], file.source[1]
    return (*place, file.least["offset"]), (*place, file.greatest["offset"])


def _us(at: datetime) -> int:
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


@dataclass(frozen=True, slots=True)
class Scan:
    """What to read of data files: columns that stand in them, by name, and which rows.

    ``dictionaries``: texts to be read as Arrow dictionaries; those of a list's structs by their paths, such as
    ``reasons.list.element.policy``, as far as rows need not be sorted.
    """

    files: pafs.FileSystem
    shape: Shape
    eras: Eras
    columns: Sequence[str]
    batch_rows: int
    only: pc.Expression | None = None
    dictionaries: Sequence[str] = ()

    def batches(self, files: Iterable[DataFile]) -> Iterator[pa.RecordBatch]:
        """The rows in ledger order, in batches of at most ``batch_rows``, none of them empty.

        Holds a few batches at a time, and all rows of a run of files that overlap.
        """
        in_runs = runs(files, self.shape, self.eras)
        for alone, group in groupby(in_runs, key=lambda run: len(run) == 1 and run[0].ours):
            if alone:
                yield from self._streamed([file for run in group for file in run])
            else:
                for run in group:
                    yield from self._sorted(run)

    def _streamed(self, files: Sequence[DataFile]) -> Iterator[pa.RecordBatch]:
        scanner = self._dataset(files, self.dictionaries).scanner(
            columns=list(self.columns),
            filter=self.only,
            batch_size=self.batch_rows,
            batch_readahead=_READ_AHEAD_BATCHES,
            fragment_readahead=_READ_AHEAD_FILES,
        )
        return (batch for batch in scanner.to_batches() if batch.num_rows)

    def _sorted(self, files: Sequence[DataFile]) -> Iterator[pa.RecordBatch]:
        keys = [name for name in (*_PLACE, self.shape.time) if name in self.shape.in_files.names]
        wanted = list(dict.fromkeys([*self.columns, *keys]))
        by_age = sorted(files, key=lambda file: (file.number, file.chunk))
        plain = [name for name in self.dictionaries if "." not in name]
        rows = self._dataset(by_age, plain).to_table(columns=wanted, filter=self.only)
        order = pa.array(np.lexsort(_sort_keys(rows, self.shape, self.eras)))
        rows = rows.select(list(self.columns))
        for start in range(0, len(order), self.batch_rows):
            yield from rows.take(order.slice(start, self.batch_rows)).combine_chunks().to_batches()

    def _dataset(self, files: Sequence[DataFile], dictionaries: Sequence[str]) -> pads.Dataset:
        read = pads.ParquetReadOptions(dictionary_columns=list(dictionaries))
        format_ = pads.ParquetFileFormat(read_options=read, default_fragment_scan_options=_SCANNING)
        fragments = [format_.make_fragment(file.path, filesystem=self.files) for file in files]
        schema = pa.schema([_coded(field, dictionaries) for field in self.shape.in_files])
        return pads.FileSystemDataset(fragments, schema, format_, self.files)


_CODED = pa.dictionary(pa.int32(), pa.string())


def _coded(field: pa.Field, dictionaries: Sequence[str]) -> pa.Field:
    """The field as it is read: texts, and those of a list's structs, as dictionaries where they are named."""
    if field.name in dictionaries:
        return field.with_type(_CODED)
    inner = {name.rpartition(".")[2] for name in dictionaries if name.startswith(f"{field.name}.list.element.")}
    if not inner:
        return field
    children = [each.with_type(_CODED) if each.name in inner else each for each in field.type.value_type]
    return field.with_type(pa.list_(pa.field("element", pa.struct(children))))


_SCANNING = pads.ParquetFragmentScanOptions(pre_buffer=True)


def _sort_keys(rows: pa.Table, shape: Shape, eras: Eras) -> tuple[npt.NDArray[np.int64], ...]:
    """The keys for numpy's lexsort, the weightiest last. Rows of no topic have their time for an offset."""
    topics, known = dictionary_of(rows["topic_id"].combine_chunks())
    era = np.array([_IMPORTED if each is None else eras.get(each, len(eras)) for each in known])[topics]
    partition, offset, index = (_numbers(rows[name], _IMPORTED) for name in ("partition", "offset", "index"))
    time_us = _numbers(rows[shape.time].cast(pa.int64()), 0)
    return index, np.where(era == _IMPORTED, time_us, offset), partition, era.astype(np.int64)


def _numbers(column: pa.ChunkedArray, none: int) -> npt.NDArray[np.int64]:
    found: npt.NDArray[np.int64] = pc.fill_null(column.cast(pa.int64()), none).to_numpy()
    return found
