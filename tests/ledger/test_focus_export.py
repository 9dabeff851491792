"""A cost export keeps to FOCUS 1.4, and its sums are those of the calls' latest costs, to the nano-dollar."""

import csv
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.ledger import focus_sums
from spendgate.ledger.bill_focus import BillLine, read_bill
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.ledger.event_rows import Place, batch_of, events_of, places_of
from spendgate.ledger.export import Asked, Export
from spendgate.ledger.export_formats import Grain
from spendgate.ledger.focus_rows import schema_of
from spendgate.ledger.row_filter import Wanted
from spendgate.model.event import Event
from tests.engine.scenes import TENANT, call, correction, examples, log_of
from tests.ledger import focus_1_4
from tests.ledger.drawn_events import calls
from tests.recorded import record
from tests.strategies import Log, logs

GRAINS: tuple[Grain, ...] = ("day", "hour", "call")
SOURCE = ("topic-id", 0)
START = datetime(2026, 11, 5, tzinfo=UTC)


def exported(ledger: Ledger, grain: Grain, tenant: str = TENANT, **asked: Any) -> bytes:
    out = BytesIO()
    Export(ledger, [tenant], Asked("events", asked.pop("format", "focus"), grain=grain, **asked)).write(out)
    return out.getvalue()


def bill(raw: bytes, folder: Path) -> list[BillLine]:
    path = folder / "bill"
    path.write_bytes(raw)
    return list(read_bill(path, lambda refused: pytest.fail(str(refused))))


def costs(ledger: Ledger, tenant: str) -> dict[int, tuple[Event, int | None]]:
    """By its row, each accepted call and its latest cost: what each correction says of the call that it is about, the
    latest of its id before it, else the first after."""
    rows = [
        (place, event)
        for batch in ledger.event_batches(tenant)
        for place, event in zip(places_of(batch), events_of(batch), strict=True)
    ]
    accepted = {n: event for n, (place, event) in enumerate(rows) if event.kind == "call" and not place.duplicate}
    latest = {n: event.cost_nano_usd for n, event in accepted.items()}
    for at, (_, said) in enumerate(rows):
        if said.kind == "correction":
            same = [n for n, each in accepted.items() if (each.source, each.id) == (said.source, said.refers_to)]
            before = [n for n in same if n < at]
            if same:
                latest[before[-1] if before else same[0]] = said.cost_nano_usd
    return {n: (event, latest[n]) for n, event in accepted.items()}


@examples(15)
@given(logs(messages=14), st.sampled_from(GRAINS), st.sampled_from(["focus", "focus-parquet"]))
def test_our_own_reader_finds_the_latest_costs_of_every_day_and_model_to_the_nano_dollar(
    log: Log, grain: Grain, format_: str
) -> None:
    with TemporaryDirectory() as folder:
        record(Path(folder) / "ledger", log.records)
        ledger = Ledger.open(Path(folder) / "ledger")
        for tenant in ledger.tenants():
            owed, found = Counter[Any](), Counter[Any]()
            known = costs(ledger, tenant).values()
            for event, cost in known:
                if cost is not None:
                    owed[event.time.date(), event.vendor or "Unknown", event.model or None] += cost
            for line in bill(exported(ledger, grain, tenant, format=format_), Path(folder)):
                assert line.billed_nano_usd == line.effective_nano_usd
                found[line.period_start.date(), line.vendor, _model(line)] += line.billed_nano_usd
            assert +found == +owed
            unpriced = Export(ledger, [tenant], Asked("events", "focus")).unpriced
            assert unpriced == sum(cost is None for _, cost in known)


def _model(line: BillLine) -> str | None:
    """The reader takes the meter where there is no model."""
    return None if line.model in ("Input and output tokens", "Requests") else line.model


def drawn(folder: Path, events: list[Event]) -> Ledger:
    places = [Place(*SOURCE, n, 0, START + timedelta(seconds=n)) for n in range(len(events))]
    LedgerTable(folder).append("events", [batch_of(events, places)], SOURCE, len(events) - 1, first_offset=0)
    return Ledger.open(folder)


@examples(20)
@given(st.lists(calls(tenants=st.just(TENANT)), min_size=1, max_size=8), st.sampled_from(GRAINS))
def test_every_cell_is_as_the_specification_has_its_column(events: list[Event], grain: Grain) -> None:
    with TemporaryDirectory() as folder:
        raw = exported(drawn(Path(folder), events), grain)
    rows = list(csv.DictReader(StringIO(raw.decode())))
    for row in rows:
        for name, column in focus_1_4.COLUMNS.items():
            if name in row:
                _check_cell(row[name], column, name)
        for name in focus_1_4.MUST_NOT_BE_NULL_OF_USAGE:
            assert row[name], name
        assert row["ConsumedUnit"] in focus_1_4.UNITS
        assert (row["PricingUnit"], row["PricingQuantity"]) == (row["ConsumedUnit"], row["ConsumedQuantity"])
        assert row["BillingPeriodStart"] <= row["ChargePeriodStart"] < row["ChargePeriodEnd"]
        assert row["ListCost"] == row["ContractedCost"] == row["BilledCost"]
    assert len(rows) <= sum(each.cost_nano_usd is not None for each in events)


def _check_cell(cell: str, column: focus_1_4.Column, name: str) -> None:
    if cell == "":
        assert column.is_nullable, name
        return
    assert column.allowed is None or cell in column.allowed, (name, cell)
    match column.kind:
        case "Date/Time":
            assert focus_1_4.TIME.fullmatch(cell), (name, cell)
        case "Decimal":
            assert focus_1_4.NUMBER.fullmatch(cell), (name, cell)
        case "JSON":
            values = json.loads(cell).values()
            assert all(isinstance(value, str) and value for value in values), (name, cell)
        case "String":
            assert cell.strip()


@pytest.mark.parametrize("grain", GRAINS)
def test_all_mandatory_columns_are_there_first_and_of_the_types_of_the_specification(grain: Grain) -> None:
    schema = schema_of(grain)
    named = [name for name in schema.names if not name.startswith("x_")]
    assert schema.names[: len(named)] == named
    assert set(named) <= set(focus_1_4.COLUMNS)
    assert {name for name, column in focus_1_4.COLUMNS.items() if column.level == "Mandatory"} <= set(named)
    for name in named:
        column, field = focus_1_4.COLUMNS[name], schema.field(name)
        is_of_kind = {
            "String": pa.types.is_string, "JSON": pa.types.is_string, "Decimal": pa.types.is_decimal,
            "Date/Time": lambda kind: kind == pa.timestamp("s", "UTC"),
        }[column.kind]  # fmt: skip
        assert is_of_kind(field.type), name
        assert field.nullable <= column.is_nullable, name


def test_rows_are_summed_by_day_or_hour_and_name_their_owners(tmp_path: Path) -> None:
    hours = [call(timedelta(hours=n), f"e{n}", 10**9 + n, team="red", vendor="acme-ai", model="m", input_tokens=5)
             for n in (0, 0, 1, 30)]  # fmt: skip
    log = log_of(*(each for n, each in enumerate(hours) if n != 1), call(timedelta(), "e9", 2, employee="a,b"),
                 correction(timedelta(hours=40), "e1", 7), call(timedelta(), "e10", None))  # fmt: skip
    record(tmp_path, log)
    ledger = Ledger.open(tmp_path)
    days = list(csv.DictReader(StringIO(exported(ledger, "day").decode())))
    assert [(row["ChargePeriodStart"], row["BilledCost"], row["x_Calls"]) for row in days if row["x_Model"]] == [
        ("2026-05-01T00:00:00Z", "1.000000007", "2"), ("2026-05-02T00:00:00Z", "1.00000003", "1"),
    ]  # fmt: skip
    assert [(row["x_RecordedCost"], row["x_CorrectedCalls"]) for row in days if row["x_Model"]] == [
        ("2.000000001", "1"), ("1.00000003", "0"),
    ]  # fmt: skip
    assert {row["Tags"] for row in days} == {'{"team":"red"}', '{"employee":"a,b"}'}
    assert {(row["SkuId"], row["ConsumedQuantity"], row["ConsumedUnit"]) for row in days} == {
        ("acme-ai/m", "10", "Tokens"), ("acme-ai/m", "5", "Tokens"), ("Unknown/Unknown", "1", "Requests"),
    }  # fmt: skip
    assert len(list(csv.DictReader(StringIO(exported(ledger, "hour").decode())))) == 4
    [one] = csv.DictReader(StringIO(exported(ledger, "call", wanted=Wanted({"id": "e1"})).decode()))
    assert (one["x_EventId"], one["BilledCost"], one["ChargePeriodStart"]) == (
        "e1",
        "0.000000007",
        "2026-05-01T11:30:00Z",
    )


def test_sums_are_right_however_few_rows_may_be_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [call(timedelta(hours=5 * n), f"e{n}", n + 1, employee=f"p{n % 7}") for n in range(60)]
    record(tmp_path, log_of(*events))
    ledger = Ledger.open(tmp_path)
    whole = exported(ledger, "day")
    for name, value in (("MOST_HELD", 3), ("_GATHERED", 5), ("GIVEN_OUT", 2)):
        monkeypatch.setattr(focus_sums, name, value)
    monkeypatch.setattr("spendgate.ledger.focus_export.BATCH_ROWS", 4)
    cut = exported(ledger, "day")

    def sums(raw: bytes) -> Counter[Any]:
        found = Counter[Any]()
        for row in csv.DictReader(StringIO(raw.decode())):
            found[row["ChargePeriodStart"], row["Tags"]] += round(float(row["BilledCost"]) * 1e9)
        return found

    assert sums(cut) == sums(whole)
    assert sum(sums(cut).values()) == sum(range(1, 61))


def test_a_parquet_bill_says_its_version_and_its_ledgers(tmp_path: Path) -> None:
    record(tmp_path, log_of(call(timedelta(), "e0")))
    raw = exported(Ledger.open(tmp_path), "day", format="focus-parquet")
    metadata = pq.read_schema(BytesIO(raw)).metadata
    assert (metadata[b"focusVersion"], metadata[b"spendgate.ledgerVersion"]) == (b"1.4", b"1")
