"""A bill: lines of FOCUS exports of every version, to the nano-dollar, in one currency."""

from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.ledger.bill_focus import BillLine, read_bill
from spendgate.ledger.readers import InputError, Refused
from tests.ledger.reading import read

HEADER = ("ChargePeriodStart,ChargePeriodEnd,BilledCost,EffectiveCost,BillingCurrency,ServiceName,{},SkuId,SkuMeter,"
          "ChargeDescription\n")  # fmt: skip
ROW = "2026-11-05T00:00:00Z,2026-11-06T00:00:00Z,{},{},{},Model API,Acme AI,sku-1,m-1 input,SENTINEL secret\n"


def bill(path: Path, *rows: str, provider: str = "ProviderName") -> tuple[list[BillLine], list[Refused]]:
    path.write_text(HEADER.format(provider) + "".join(rows))
    refused: list[Refused] = []
    return list(read_bill(path, refused.append)), refused


@pytest.mark.parametrize("provider", ["ProviderName", "ServiceProviderName"])
def test_a_line_of_either_version(provider: str, tmp_path: Path) -> None:
    [line], refused = bill(tmp_path / "b.csv", ROW.format("12.5", "35.2E-7", "USD"), provider=provider)
    assert not refused
    assert (line.period_start.isoformat(), line.period_end.isoformat()) == (
        "2026-11-05T00:00:00+00:00", "2026-11-06T00:00:00+00:00",
    )  # fmt: skip
    assert (line.billed_nano_usd, line.effective_nano_usd) == (12_500_000_000, 3_520)
    assert (line.vendor, line.service, line.sku, line.model) == ("Acme AI", "Model API", "sku-1", "m-1 input")
    assert "SENTINEL" not in repr(line)


@given(costs=st.lists(st.decimals(-1000, 1000, places=12), min_size=1, max_size=8))
def test_sums_are_those_of_the_lines_from_csv_and_parquet(
    costs: list[Decimal], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("bill")
    lines, _ = bill(folder / "b.csv", *(ROW.format(f"{cost:f}", "", "USD") for cost in costs))
    exact = [int((cost * 10**9).to_integral_value(ROUND_HALF_EVEN)) for cost in costs]
    assert [line.billed_nano_usd for line in lines] == exact
    columns = {
        "ChargePeriodStart": [line.period_start for line in lines],
        "ChargePeriodEnd": [line.period_end for line in lines],
        "BilledCost": pa.array(costs, pa.decimal128(20, 12)), "BillingCurrency": ["USD"] * len(costs),
    }  # fmt: skip
    pq.write_table(pa.table(columns), folder / "b.parquet")
    assert [line.billed_nano_usd for line in read_bill(folder / "b.parquet")] == exact


@pytest.mark.parametrize(
    ("currencies", "expected"),
    [(["EUR"], "expected USD"), (["USD", "EUR"], "one currency in a bill"), (["USD", ""], "one currency in a bill")],
)
def test_another_currency_is_an_error(currencies: list[str], expected: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"^BillingCurrency: .*{expected}"):
        bill(tmp_path / "b.csv", *(ROW.format(1, 1, currency) for currency in currencies))


def test_a_bad_line_is_set_aside_with_its_money(tmp_path: Path) -> None:
    lines, refused = bill(
        tmp_path / "b.csv", ROW.format(1, 1, "USD").replace("2026-11-06", "soon"), ROW.format("x", 1, "USD"),
        ROW.format(2, 2, "USD"),
    )  # fmt: skip
    assert [line.billed_nano_usd for line in lines] == [2 * 10**9]
    assert [(one.line, one.field, one.cost_nano_usd) for one in refused] == [
        (2, "ChargePeriodEnd", 10**9), (3, "BilledCost", None),
    ]  # fmt: skip


def test_what_is_no_bill_is_an_error_and_a_bill_is_no_events(tmp_path: Path) -> None:
    path = tmp_path / "b.csv"
    path.write_text("time,Billed Cost\n")
    with pytest.raises(InputError, match="a column BilledCost; the nearest is Billed Cost"):
        list(read_bill(path))
    with pytest.raises(InputError, match="this is a FOCUS cost export"):
        read(HEADER.format("ProviderName").encode())
