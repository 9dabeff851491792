"""The difference report as people see it."""

from io import StringIO

from msgspec.structs import replace
from rich.console import Console

from spendgate.cli.prices_report import difference_table, unpriced_lines
from spendgate.model.event import Event
from spendgate.prices.events import price_events
from spendgate.prices.tally import PriceTally
from tests.prices.books import AT, list_book

CALL = Event(id="1", source="s", tenant="t", time=AT, vendor="openai", model="gpt-4o", output_tokens=1)


def test_the_report_shows_both_costs_and_what_they_leave_out() -> None:
    tally = PriceTally()
    calls = [replace(CALL, input_tokens=10**6, cost_nano_usd=3 * 10**9), replace(CALL, vendor=None, input_tokens=7)]
    list(price_events(calls, list_book(), "recomputed", tally))
    out = StringIO()
    Console(file=out, width=100).print(difference_table(tally))
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.getvalue().splitlines() if "│" in line]
    assert rows == [
        ["openai", "gpt-4o", "1", "$3.00", "$2.50", "-$0.50"],
        ["(none)", "gpt-4o", "1", "$0.00*", "$0.00*", "$0.00"],
        ["all", "", "2", "$3.00*", "$2.50*", "-$0.50"],
    ]
    assert unpriced_lines(tally) == ["unpriced: (none) gpt-4o: 1 calls, 7 input and 1 output tokens (no_price)"]
