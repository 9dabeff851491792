"""The demo on a terminal: rates, verdicts with their dollars, fullest budgets, latest denials in words."""

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from dev.demo.tally import Tally
from spendgate.model.decision import VERDICTS, Verdict
from spendgate.model.money import format_usd
from spendgate.model.words import explain

STYLES: dict[Verdict, str] = {"approve": "green", "warn": "yellow", "review": "magenta", "deny": "red"}
BAR = 20


def screen(tally: Tally, sent: int, total: int) -> RenderableType:
    """All of it, as of now."""
    head = Text.assemble(
        (f"{tally.rate:>8,.0f} decisions/s", "bold"),
        f"   sent {sent:,} of {total:,}   judged {len(tally.decisions):,}   ",
        ("shadow only: nothing is blocked", "italic"),
    )
    return Group(head, _verdicts(tally), _budgets(tally), _denials(tally))


def _verdicts(tally: Tally) -> Table:
    table = Table("would-be verdict", "calls", "dollars", box=None, pad_edge=False)
    for verdict in VERDICTS:
        dollars = format_usd(tally.nano_usd[verdict])
        table.add_row(Text(verdict, STYLES[verdict]), f"{tally.events[verdict]:,}", dollars)
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _budgets(tally: Tally) -> Panel:
    table = Table(box=None, show_header=False, pad_edge=False)
    for reason in tally.fullest(3):
        used, limit = reason.used_before_nano_usd or 0, reason.limit_nano_usd or 1
        filled = min(BAR, BAR * used // limit)
        table.add_row(
            reason.policy, reason.counter, Text("█" * filled + "░" * (BAR - filled)),
            f"{format_usd(used)} of {format_usd(limit)}{', over' if used > limit else ''}",
        )  # fmt: skip
    return Panel(table, title="closest to their caps", title_align="left")


def _denials(tally: Tally) -> Panel:
    lines = [
        explain(next(r for r in decision.reasons if r.verdict == "deny"), decision.cost_nano_usd)
        for decision in reversed(tally.denials)
    ]
    text = Text("\n".join(lines) or "none yet", no_wrap=True, overflow="ellipsis")
    return Panel(text, title="latest would-be denials", title_align="left")
