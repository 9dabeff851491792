"""Whether the ledger holds all that it says it covers, and where it does not.

Four proofs, each on its own: the spans in the commits' metadata follow each other without a gap; the count of skipped
offsets that the transactions carry, which stays when old commits are cleaned up, is zero; the rows that the
transactions count are the rows that the files hold; and every file is there, whole. With the topic's own offsets, also:
nothing before, between or after is missing.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import NamedTuple

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from deltalake import DeltaTable

from spendgate.ledger.delta_files import DataFile
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_tables import SHAPES, TABLES, TableName
from spendgate.ledger.delta_writer import SPAN_KEY, Span, source_name
from spendgate.ledger.ledger_errors import told_of

Source = tuple[str, int]
"""Topic id and partition."""


class Range(NamedTuple):
    """Offsets ``first`` to ``last``, both included."""

    first: int
    last: int


class Offsets(NamedTuple):
    """What a broker says of a partition: its first offset, and the one that its next message will have."""

    begin: int
    end: int


@dataclass(slots=True)
class SourceReport:
    """One topic partition in one table. ``first`` to ``last``: what is covered; ``rows``: as the transactions count.

    ``gaps``: offsets that are not covered, where known; ``missing``: how many were skipped when writing. ``behind``:
    messages that the topic has and the ledger has not yet, which is no fault; None where the topic was not asked.
    """

    table: TableName
    topic_id: str
    partition: int
    first: int
    last: int
    rows: int
    rows_found: int
    missing: int = 0
    gaps: list[Range] = field(default_factory=list)
    behind: int | None = None
    past_end: bool = False

    @property
    def complete(self) -> bool:
        """Whether nothing is missing, nothing was added, and the topic is the one that was read."""
        return not self.gaps and not self.missing and self.rows == self.rows_found and not self.past_end


class Damaged(NamedTuple):
    """A data file that is gone or not what the log says."""

    table: TableName
    path: str
    problem: str


@dataclass(slots=True)
class Verified:
    """The result. ``imported`` and ``imported_found``: rows of no topic, as counted at import and as in the files."""

    sources: list[SourceReport] = field(default_factory=list)
    damaged: list[Damaged] = field(default_factory=list)
    imported: int = 0
    imported_found: int = 0

    @property
    def complete(self) -> bool:
        """Whether every proof held."""
        imports = self.imported == self.imported_found
        return imports and not self.damaged and all(source.complete for source in self.sources)

    def as_dict(self) -> dict[str, object]:
        """As ``--json`` prints it."""
        return {"complete": self.complete, **asdict(self)}


def verify(
    ledger: Ledger,
    offsets: Mapping[TableName, Mapping[Source, Offsets]] | None = None,
    *,
    on_file: Callable[[], None] | None = None,
) -> Verified:
    """Verify all tables written from topics; ``offsets``: of the topic of a table, by topic id and partition.

    Opens the footer of every data file; ``on_file`` is called after each. Raises LedgerError where the log itself
    cannot be read.
    """
    found = Verified()
    for name in TABLES:
        table = ledger.table(name)
        asked = (offsets or {}).get(name, {})
        if table is None:
            found.sources += [_unrecorded(name, source, told) for source, told in asked.items()]
            continue
        with told_of(ledger.store.uri(name)):
            rows = _rows(name, ledger)
            found.sources += _sources(name, table, rows, asked)
        found.damaged += _damaged(name, ledger, on_file)
        if name == "events":
            found.imported = table.transaction_version("imports rows") or 0
            found.imported_found = rows[None]
    return found


def _rows(name: TableName, ledger: Ledger) -> Counter[Source | None]:
    """The rows of each source, and of none: as the log counts them; what another engine wrote is looked into."""
    rows: Counter[Source | None] = Counter()
    storage = ledger.store.files_of(name)
    for file in ledger.files(name):
        if file.ours:
            rows[file.source] += file.rows
        elif "topic_id" in SHAPES[name].in_files.names and _problem(storage, file) is None:
            places = pq.read_table(file.path, columns=["topic_id", "partition"], filesystem=storage)
            for topic_id, partition in zip(*(column.to_pylist() for column in places.columns), strict=True):
                rows[None if topic_id is None else (topic_id, partition)] += 1
    return rows


def _unrecorded(name: TableName, source: Source, told: Offsets) -> SourceReport:
    return SourceReport(name, *source, first=told.begin, last=told.begin - 1, rows=0, rows_found=0,
                        behind=told.end - told.begin)  # fmt: skip


def _sources(
    name: TableName, table: DeltaTable, rows: Counter[Source | None], asked: Mapping[Source, Offsets]
) -> list[SourceReport]:
    spans = _spans(table)
    recorded = {source for source in rows if source is not None}
    reports = []
    for source in sorted({*spans, *recorded, *asked}):
        if table.transaction_version(source_name(*source)) is None and source in asked:
            report = _unrecorded(name, source, asked[source])
        else:
            report = _report(name, table, source, spans.get(source, []), rows[source])
            if source in asked:
                _compare(report, asked[source])
        reports.append(report)
    return reports


def _spans(table: DeltaTable) -> dict[Source, list[Span]]:
    """The spans of the commits that the log still has, by source, in their order."""
    found: dict[Source, list[Span]] = defaultdict(list)
    for entry in table.history():
        told = json.loads(entry.get(SPAN_KEY) or "{}")
        if told.keys() == set(Span._fields):
            found[told["topic_id"], told["partition"]].append(Span(**told))
    return {source: sorted(spans, key=lambda span: span.first) for source, spans in found.items()}


def _report(name: TableName, table: DeltaTable, source: Source, spans: Sequence[Span], rows: int) -> SourceReport:
    def version(what: str = "", none: int = 0) -> int:
        found = table.transaction_version(source_name(*source) + what)
        return none if found is None else found

    report = SourceReport(
        name, *source, first=version(" first"), last=version(none=-1), rows=version(" rows"), rows_found=rows,
        missing=version(" missing"),
    )  # fmt: skip
    ends = [*((span.first, span.last) for span in spans), (report.last + 1, report.last)]
    report.gaps = [Range(last + 1, first - 1) for (_, last), (first, _) in pairwise(ends) if first > last + 1]
    return report


def _compare(report: SourceReport, topic: Offsets) -> None:
    """What the topic's own offsets add. Before the first covered offset a topic may have lost, but must not have."""
    if topic.begin < report.first:
        report.gaps.insert(0, Range(topic.begin, report.first - 1))
    if topic.begin > report.last + 1:
        report.gaps.append(Range(report.last + 1, topic.begin - 1))
    report.past_end = topic.end <= report.last
    report.behind = max(0, topic.end - max(report.last + 1, topic.begin))


def _damaged(name: TableName, ledger: Ledger, on_file: Callable[[], None] | None) -> list[Damaged]:
    found = []
    with told_of(ledger.store.uri(name)):
        storage = ledger.store.files_of(name)
        for file in ledger.files(name):
            if (problem := _problem(storage, file)) is not None:
                found.append(Damaged(name, file.path, problem))
            if on_file is not None:
                on_file()
    return found


def _problem(storage: pafs.FileSystem, file: DataFile) -> str | None:
    info = storage.get_file_info(file.path)
    if info.type != pafs.FileType.File:
        return "expected a file, and there is none"
    if info.size != file.size_bytes:
        return f"expected {file.size_bytes} bytes, found {info.size}"
    try:
        rows = pq.read_metadata(file.path, filesystem=storage).num_rows
    except pa.ArrowInvalid:
        return "expected a whole Parquet file"
    return None if rows == file.rows else f"expected {file.rows} rows, found {rows}"
