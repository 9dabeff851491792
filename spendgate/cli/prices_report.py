"""What pricing has changed, for people: cost before and after by vendor and model, and what has no price."""

from rich.table import Table

from spendgate.model.money import format_usd
from spendgate.model.text import NONE
from spendgate.prices.tally import Change, PriceTally


def difference_table(tally: PriceTally) -> Table:
    """Cost by the source and by the chosen prices; ``*`` marks a sum that leaves out unpriced calls."""
    table = Table("vendor", "model", "calls", "before", "after", "difference", title="prices, before and after")
    for (vendor, model), change in tally.differences():
        table.add_row(vendor or NONE, model or NONE, *_cells(change))
    table.add_row("all", "", *_cells(tally.total))
    for column in table.columns[2:]:
        column.justify = "right"
    return table


def unpriced_lines(tally: PriceTally) -> list[str]:
    """One line for each vendor and model with calls that have no price, and why."""
    return [
        f"unpriced: {each.vendor or NONE} {each.model or NONE}: {found.calls:,} calls, "
        f"{found.input_tokens:,} input and {found.output_tokens:,} output tokens ({each.why.name.lower()})"
        for each, found in tally.missing()
    ]


def _cells(change: Change) -> tuple[str, ...]:
    before = format_usd(change.before_nano_usd) + "*" * bool(change.unpriced_before)
    after = format_usd(change.after_nano_usd) + "*" * bool(change.unpriced_after)
    return f"{change.calls:,}", before, after, format_usd(change.difference_nano_usd)
