"""Decisions as a table for people."""

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from spendgate.model.decision import Decision, Verdict
from spendgate.model.words import explain, instant, money

COLOURS: dict[Verdict, str] = {"approve": "green", "warn": "yellow", "review": "magenta", "deny": "red"}


def table_of(decisions: Iterable[Decision], title: str) -> Table:
    """One row a decision, in the order given."""
    table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for name, style in (("event time", "dim"), ("tenant", ""), ("event", "dim")):
        table.add_column(name, style=style, no_wrap=True, overflow="ellipsis", max_width=24)
    table.add_column("cost", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("why", overflow="fold")
    for decision in decisions:
        table.add_row(*_row(decision))
    return table


def _row(decision: Decision) -> tuple[str | Text, ...]:
    cost = "unpriced" if decision.cost_nano_usd is None else money(decision.cost_nano_usd)
    return (
        instant(decision.event_time.replace(microsecond=0)).removesuffix(" UTC"),
        Text(decision.tenant),
        Text(decision.event_id),
        cost,
        Text(decision.verdict, style=COLOURS[decision.verdict]),
        Text(why(decision)),
    )


def why(decision: Decision) -> str:
    """The reasons that count in words: of a decision that did not approve, those that did not either."""
    worse = [reason for reason in decision.reasons if reason.verdict != "approve"]
    words = [explain(reason, decision.cost_nano_usd) for reason in worse or decision.reasons]
    marks = [mark.replace("_", " ") for mark in decision.marks if mark != "unpriced"]
    return "; ".join(marks + words) or f"{decision.judged.rules} rules looked"
