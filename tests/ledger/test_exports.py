"""An export holds exactly the rows of the pages, whatever the format and the filter; none looks whole that is not."""

import csv
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_shadow.ledger.pages import page
from spendgate.ledger.decision_rows import decisions_of
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_selection import Selection
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.ledger.event_documents import documents_of
from spendgate.ledger.event_rows import Place, batch_of
from spendgate.ledger.export import Asked, Export
from spendgate.ledger.export_csv import csv_lines
from spendgate.ledger.export_formats import BY_COLUMN, BY_REASON, Exported, Format
from spendgate.ledger.reader_problem import InputError
from spendgate.ledger.row_filter import Wanted, wanted_of
from spendgate.model.text import ALLOWED_CHARS
from tests.engine.evaluate import evaluate
from tests.engine.scenes import TENANT, call, examples
from tests.ledger.drawn_events import calls
from tests.ledger.exported import FORMATS, comparable, documents, plain, text_of
from tests.ledger.reading import read
from tests.reconcile.test_reconcile import write
from tests.strategies import Log, logs

TABLES: tuple[Exported, ...] = ("events", "decisions")
SOURCE = ("topic-id", 0)
ALL = Wanted()
START = datetime(2026, 11, 5, tzinfo=UTC)


def exported(ledger: Ledger, tenant: str, table: Exported, format_: Format, wanted: Wanted = ALL) -> bytes:
    out = BytesIO()
    Export(ledger, [tenant], Asked(table, format_, wanted)).write(out)
    return out.getvalue()


def paged(ledger: Ledger, tenant: str, table: Exported, wanted: Wanted, size: int) -> list[Any]:
    found: list[Any] = []
    after = None
    while True:
        got = page(ledger, Selection(table, tenant, wanted, after), size)
        for batch in got.batches:
            found += documents_of(batch) if table == "events" else map(plain, decisions_of(batch))
        if (after := got.next) is None:
            return found


@st.composite
def filters(draw: st.DrawFn, rows: list[Any], table: Exported) -> Wanted:
    """Some columns at values that stand there, some at none; perhaps some hours."""
    said: dict[str, str] = {}
    for name in draw(st.lists(st.sampled_from([*BY_COLUMN[table], *BY_REASON[table]]), max_size=2, unique=True)):
        known = [row.get(name) or next((r.get(name) for r in row.get("reasons", ())), None) for row in rows]
        said[name] = draw(st.sampled_from([*{each for each in known if each}, "nobody"]))
    time = "time" if table == "events" else "event_time"
    times = sorted(datetime.fromisoformat(row[time]) if isinstance(row[time], str) else row[time] for row in rows)
    bounds = st.none() | st.sampled_from(times or [START])
    return wanted_of(table, said, draw(bounds), draw(bounds))


@examples(15)
@given(logs(messages=12), st.integers(1, 9), st.data())
def test_every_format_holds_the_rows_of_the_pages_under_every_filter(log: Log, size: int, data: st.DataObject) -> None:
    _, owed = evaluate(log.documents, [log.records])
    with TemporaryDirectory() as folder:
        ledger = write(Path(folder), log.records, list(owed.values()))
        for tenant in ledger.tenants():
            for table in TABLES:
                rows = paged(ledger, tenant, table, ALL, size)
                wanted = data.draw(filters(rows, table))
                expected = paged(ledger, tenant, table, wanted, size)
                for format_ in FORMATS:
                    found = documents(exported(ledger, tenant, table, format_, wanted), format_, table)
                    assert comparable(found) == comparable(expected), (table, format_, wanted)


@examples(20)
@given(st.lists(calls(tenants=st.just(TENANT)), min_size=1, max_size=6))
def test_what_is_exported_can_be_read_again_by_our_own_readers(events: list[Any]) -> None:
    with TemporaryDirectory() as folder:
        places = [Place(*SOURCE, n, 0, START + timedelta(seconds=n)) for n in range(len(events))]
        LedgerTable(folder).append("events", [batch_of(events, places)], SOURCE, 100, first_offset=0)
        ledger = Ledger.open(folder)
        for format_ in FORMATS:
            found, refused = read(exported(ledger, TENANT, "events", format_))
            assert (found, refused) == (_with_source(events, format_), [])


def _with_source(events: list[Any], format_: str) -> list[Any]:
    """A reader of tables notes whether the cost of a call was there."""
    if format_ == "jsonl":
        return events
    return [
        msgspec.structs.replace(each, cost_source=each.cost_source or (
            "unpriced" if each.cost_nano_usd is None else "provided"))
        for each in events
    ]  # fmt: skip


@given(st.lists(st.none() | st.text(st.sampled_from(ALLOWED_CHARS), min_size=1, max_size=6), min_size=1, max_size=5))
def test_no_cell_of_a_csv_is_a_formula_and_each_can_be_had_back(texts: list[str | None]) -> None:
    lines = csv_lines(pa.table({"text": pa.array(texts, pa.string()), "n": [-1] * len(texts)})).decode()
    assert [text_of(row[0]) for row in csv.reader(StringIO(lines))] == texts


class Full(BytesIO):
    """A sink that takes so many bytes and no more."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, part: Any) -> int:
        if self.tell() + len(part) > self.room:
            raise OSError("full")
        return super().write(part)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    folder = tmp_path_factory.mktemp("many")
    events = [call(timedelta(seconds=n), f"e{n}") for n in range(2_000)]
    places = [Place(*SOURCE, n, 0, START) for n in range(len(events))]
    LedgerTable(folder).append("events", [batch_of(events, places)], SOURCE, len(events), first_offset=0)
    return Ledger.open(folder)


@given(st.integers(0, 20_000))
def test_a_parquet_file_that_was_not_finished_is_none(many: Ledger, room: int) -> None:
    whole = exported(many, TENANT, "events", "parquet")
    sink = Full(min(room, len(whole) - 1))
    with pytest.raises(OSError, match="full"):
        Export(many, [TENANT], Asked("events", "parquet")).write(sink)
    assert whole.startswith(sink.getvalue())
    with pytest.raises(pa.ArrowException):
        pq.read_table(BytesIO(sink.getvalue()))


def test_a_cost_export_of_decisions_is_refused(many: Ledger) -> None:
    with pytest.raises(InputError, match=r"^format: expected parquet, csv or jsonl"):
        Export(many, [TENANT], Asked("decisions", "focus"))
    with pytest.raises(InputError, match=r"^where: verdict: expected one of team"):
        wanted_of("events", {"verdict": "deny"})
