"""A reconciliation, shown: the outcome, every criterion, and what differs."""

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spendgate.model.reconciliation import Criterion, Differences, Reconciliation, WindowSeen

_STYLES = {"pass": "green", "fail": "red", "inconclusive": "yellow"}
_SHOWN = 5


def show_reconciliation(found: Reconciliation) -> None:
    """On a terminal, or as plain text where it is none."""
    console = Console()
    style = _STYLES[found.outcome]
    console.print(f"\n[bold]{escape(found.policy or 'all policies')}[/bold]  [{style}]{found.outcome}[/]")
    console.print(_sample(found))
    console.print(_criteria(found.criteria))
    for each in found.differences:
        console.print(f"  {_kind(each)}")
    for window in found.windows:
        if not window.observed or window.partial:
            console.print(f"  [dim]{escape(_window(window))}[/dim]")
    for example in [each for group in found.differences for each in group.examples][:_SHOWN]:
        console.print(f"  [dim]{escape(example.event_id)}: {escape(example.words)}[/dim]")


def _sample(found: Reconciliation) -> str:
    calls = found.calls
    if not calls.replayed:
        return "no call was judged: that proves nothing"
    at_most = (
        ""
        if calls.differing_at_most_ppb is None
        else (f"; at most {calls.differing_at_most_ppb / 1e7:.3f}% differ, with 95 % confidence")
    )
    agree = f"{calls.matched:,} of {calls.replayed:,} calls agree ({calls.repeated:,} published again, unchanged)"
    return f"{agree}{at_most}\n{found.observed.from_} to {found.observed.to}"


def _criteria(criteria: tuple[Criterion, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("", "criterion", "measured", "asked for", "off by"):
        table.add_column(title, justify="right" if title in ("measured", "asked for", "off by") else "left")
    for each in criteria:
        outcome = f"[{_STYLES[each.outcome]}]{each.outcome}[/]"
        words = each.words if each.waiver is None else f"{each.words}; waived: {each.waiver}"
        table.add_row(outcome, escape(words), *_numbers(each))
    return table


def _numbers(criterion: Criterion) -> Iterator[str]:
    yield "not known" if criterion.measured is None else f"{criterion.measured:,}"
    yield f"{criterion.threshold:,} {criterion.unit}"
    yield f"{criterion.distance:,}"


def _kind(group: Differences) -> str:
    return f"{group.calls:,} {group.kind.replace('_', ' ')}, cause: {group.cause.replace('_', ' ')}"


def _window(window: WindowSeen) -> str:
    what = f"{window.policy}, rule {window.rule} ({window.window})"
    part = "stands for a longer window" if window.partial else "its last full window"
    seen = "seen" if window.observed else "not seen"
    return f"{what}: {window.from_} to {window.to}, {part}, {seen}, {window.calls:,} calls"
