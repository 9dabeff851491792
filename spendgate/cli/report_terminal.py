"""The simulation report on a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table

from spendgate.model.decision import VERDICTS
from spendgate.model.words import money

ROWS = 8
BAR = 20


def print_report(console: Console, report: Mapping[str, Any]) -> None:
    """Print what a report says, the headline first; what is left out is counted."""
    for part in _parts(report):
        console.print(part)


def _parts(report: Mapping[str, Any]) -> Iterator[RenderableType]:
    yield _headline(report)
    yield _verdicts(report["verdicts"])
    yield from _owners(report["owners"])
    yield from _windows(report)
    yield from _impact(report["outcomes"])
    yield from _reviews(report["reviews"])
    yield from _sweep(report["sweep"])
    yield from _suggest(report["suggest"])
    yield from _compare(report["compare"])
    yield from _prices(report["prices"])
    yield from _remarks(report)


def _headline(report: Mapping[str, Any]) -> str:
    history = report["history"]
    names = ", ".join(policy["name"] for policy in report["policies"])
    denied = report["verdicts"]["closed"]["deny"]
    span = f"{history['from'] or 'no call'} to {history['to'] or 'no call'}"
    return (
        f"\n{names} over {history['calls']:,} calls, {span}:\n"
        f"would have denied [bold]{denied['calls']:,}[/bold] of them, "
        f"worth [bold]{money(denied['cost_nano_usd'])}[/bold]"
    )


def _verdicts(verdicts: Mapping[str, Any]) -> Table:
    table = _table("would-be verdict", "calls", "dollars", "calls, open loop", "dollars, open loop")
    for verdict in VERDICTS:
        cells = [
            text
            for loop in ("closed", "open")
            for text in (f"{verdicts[loop][verdict]['calls']:,}", money(verdicts[loop][verdict]["cost_nano_usd"]))
        ]
        table.add_row(verdict, *cells)
    table.caption = "closed loop: as if enforced from the start; open loop: against all that was spent"
    return table


def _owners(owners: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[RenderableType]:
    for name, rows in owners.items():
        hit = [row for row in rows if row["closed"]["deny"]["calls"]]
        if not hit or all(row["value"] is None for row in rows):
            continue
        table = _table(name, "denied", "of calls", "dollars", "lost", "", title=f"hit by {name} (lost: accepted work)")
        most = max(row["closed"]["deny"]["cost_nano_usd"] for row in hit) or 1
        for row in hit[:ROWS]:
            deny = row["closed"]["deny"]
            bar = "█" * max(1, BAR * deny["cost_nano_usd"] // most)
            table.add_row(
                row["value"] or "(unattributed)", f"{deny['calls']:,}", f"{row['calls']:,}",
                money(deny["cost_nano_usd"]), f"{row['lost_accepted']:,}", bar,
            )  # fmt: skip
        yield _counted(table, len(hit))


def _windows(report: Mapping[str, Any]) -> Iterator[RenderableType]:
    breached = [window for window in report["windows"] if window["over_cap_calls"]]
    if not breached:
        return
    table = _table("window", "used", "cap", "over", "first breach", "hours left", title="windows over their cap")
    for window in breached[:ROWS]:
        name = f"{window['policy']} {window['key']}" + (" (partial)" if window["partial"] else "")
        when = f"from {window['start'][:10]}" if window["start"] else f"{window['kind']}, all calls"
        table.add_row(
            f"{name}\n{when}", money(window["used_nano_usd"]),
            money(window["cap_nano_usd"]), f"{window['over_cap_calls']:,}", window["first_breach"][:16],
            window["hours_left"] or "",
        )  # fmt: skip
    yield _counted(table, report["windows_breached"])


def _impact(outcomes: Mapping[str, Any]) -> Iterator[RenderableType]:
    stated = {word: each for word, each in outcomes["all"].items() if each["calls"] and word != "unstated"}
    if not stated:
        return
    table = _table("outcome", "calls", "denied", "dollars denied", title="what it would have done to outcomes")
    for word, each in stated.items():
        denied = outcomes["denied"][word]
        table.add_row(word, f"{each['calls']:,}", f"{denied['calls']:,}", money(denied["cost_nano_usd"]))
    yield table
    cost = outcomes["cost_per_accepted_nano_usd"]
    if cost["before"] is not None and cost["after"] is not None:
        yield f"cost per accepted outcome: {money(cost['before'])} before, {money(cost['after'])} after"


def _reviews(reviews: Mapping[str, Any]) -> Iterator[RenderableType]:
    if not reviews["calls"]:
        return
    busiest = reviews["busiest_hour"]
    yield (
        f"reviews: {reviews['calls']:,} calls worth {money(reviews['cost_nano_usd'])}, "
        f"{reviews['per_hour_mean']} an hour, {busiest['calls']:,} in the busiest ({busiest['start'][:16]})"
    )
    queue = reviews["queue"]
    if queue is not None:
        yield (
            f"{queue['reviewers']} reviewers at {queue['minutes_each']} minutes each: the longest queue is "
            f"{queue['longest']:,}, the longest wait {queue['longest_wait_minutes']:,} minutes, "
            f"{queue['expired']:,} expired"
        )


def _sweep(sweep: Mapping[str, Any] | None) -> Iterator[RenderableType]:
    if sweep is None:
        return
    table = _table(sweep["what"], "denied calls", "dollars denied", "accepted work lost", "owners hit", title="sweep")
    for point in sweep["points"]:
        table.add_row(
            str(point["value"]), f"{point['denied_calls']:,}", money(point["denied_nano_usd"]),
            f"{point['lost_accepted']:,}", f"{point['owners_hit']:,}",
        )  # fmt: skip
    yield table


def _suggest(suggest: Mapping[str, Any] | None) -> Iterator[RenderableType]:
    if suggest is not None:
        yield f"[bold]suggested cap: ${suggest['cap_usd']}[/bold]"
        yield suggest["words"]


def _compare(compare: Mapping[str, Any] | None) -> Iterator[RenderableType]:
    if compare is None:
        return
    table = _table("from", "to", "calls", "dollars", title="what would change")
    for change in compare["changed"]:
        table.add_row(change["from"], change["to"], f"{change['calls']:,}", money(change["cost_nano_usd"]))
    yield table if compare["changed"] else "compared: no verdict changes"


def _prices(prices: Mapping[str, Any] | None) -> Iterator[RenderableType]:
    if prices is not None:
        yield f"at other prices the same calls cost {_signed(prices['changed_nano_usd'])}"


def _signed(nano_usd: int) -> str:
    return f"{money(nano_usd)} more" if nano_usd >= 0 else f"{money(-nano_usd)} less"


def _remarks(report: Mapping[str, Any]) -> Iterator[RenderableType]:
    for finding in report["lint"]:
        yield f"{finding['policy']}: {finding['words']}"
    for model in report["unpriced"][:ROWS]:
        yield f"no price: {model['vendor'] or '(no vendor)'} {model['model'] or '(no model)'}, {model['calls']:,} calls"
    history = report["history"]
    yield (
        f"{history['duplicates']:,} repeats and {history['late']:,} late calls; {report['windows_partial']:,} of "
        f"{report['windows_total']:,} windows began before the data"
    )


def _table(*columns: str, title: str | None = None) -> Table:
    table = Table(*columns, title=title, box=SIMPLE_HEAD, title_justify="left")
    table.columns[0].overflow = "fold"
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _counted(table: Table, rows: int) -> Table:
    if rows > ROWS:
        table.caption = f"... and {rows - ROWS:,} more; --json has them"
    return table
