"""``spendgate explain``: why one event got its verdict, rule by rule."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spendgate.cli.history_options import Reviews, source_of
from spendgate.cli.policies import policies_of
from spendgate.cli.say import USAGE, told_without_kafka
from spendgate.failure import Failure

if TYPE_CHECKING:
    from spendgate.simulate.explain import Wanted
    from spendgate.simulate.history import History

_STYLES = {"approve": "green", "warn": "yellow", "review": "magenta", "deny": "red"}


def explain(
    context: typer.Context,
    event_id: Annotated[str, typer.Argument(metavar="EVENT_ID", help="The id of a call.")],
    policy: Annotated[
        list[Path] | None, typer.Option("--policy", exists=True, dir_okay=False, help="A policy file.")
    ] = None,
    ledger: Annotated[str | None, typer.Option(metavar="PATH", help="The ledger: a folder or a URL.")] = None,
    events: Annotated[Path | None, typer.Option(exists=True, help="A file or a folder instead.")] = None,
    source: Annotated[str | None, typer.Option(help="The call's source, where several have its id.")] = None,
    tenant: Annotated[str | None, typer.Option(help="The call's tenant, where several have its id.")] = None,
    columns: Annotated[str, typer.Option("--map", help="cost_usd=Cost,team=Team for a CSV file.")] = "",
    file_format: Annotated[str, typer.Option("--format", help="The file's format; found out by itself.")] = "auto",
    ledger_version: Annotated[int | None, typer.Option(help="The ledger as it was at this version.")] = None,
    storage_option: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="For object storage.")] = None,
    reviews: Annotated[Reviews, typer.Option(help="What becomes of a would-be review.")] = Reviews.approved,
    as_recorded: Annotated[bool, typer.Option("--as-recorded", help="Without later corrections and outcomes.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say why a recorded call gets its verdict: every rule, and the state of its window just before the call."""
    with told_without_kafka():
        if not policy:
            raise Failure("policy: expected at least one --policy FILE", USAGE)
        from spendgate.simulate import explain as found
        from spendgate.simulate.run import Options

        wanted = found.find(_history(context.params), event_id, source, tenant)
        history = _history(context.params, wanted)
        options = Options(reviews == Reviews.refused, as_recorded)
        told = found.explain(policies_of(policy), history, wanted, options)
        if as_json:
            typer.echo(json.dumps(told))
        else:
            _show(Console(), told)


def _history(given: dict[str, Any], wanted: "Wanted | None" = None) -> "History":
    """The history; of one tenant if the call is known, for tenants do not see each other."""
    from spendgate.simulate.job import history_of
    from spendgate.simulate.selection import EVERYTHING, Selection

    selection = EVERYTHING if wanted is None else Selection(where={"tenant": wanted.tenant})
    return history_of(source_of({**given, "tenant": None}), selection, lambda _: None)


def _show(console: Console, told: dict[str, Any]) -> None:
    console.print(f"\n[bold]{escape(told['event']['id'])}[/bold] of {escape(told['tenant'])}: {_verdict(told)}")
    console.print(_facts(told))
    for line in _remarks(told):
        console.print(line)
    for policy in told["policies"]:
        _show_policy(console, policy)


def _verdict(told: dict[str, Any]) -> str:
    said = f"[{_STYLES[told['verdict']]}]{told['verdict']}[/]"
    if told["open_verdict"] != told["verdict"]:
        said += f" (against all that was spent, whatever was denied: {told['open_verdict']})"
    return said


def _facts(told: dict[str, Any]) -> str:
    from spendgate.model.words import money

    shown = ("time", "team", "employee", "customer", "project", "workflow", "agent", "vendor", "model")
    facts = [f"{name} {told['event'][name]}" for name in shown if name in told["event"]]
    cost = told["cost_nano_usd"]
    return escape("  ".join([*facts, "no price" if cost is None else f"cost {money(cost)}"]))


def _remarks(told: dict[str, Any]) -> Iterator[str]:
    from spendgate.model.money import format_usd

    marks, event = told["marks"], told["event"]
    if "late" in marks:
        yield "late: it came after its time's grace had passed, so no budget looks at it"
    if "clock_skew" in marks:
        yield f"its clock was ahead, so it is judged at {told['judged_at']}, when it was received"
    if told["corrected_from_nano_usd"] is not None:
        yield f"a later correction has changed its cost from {format_usd(told['corrected_from_nano_usd'], 9)}"
    if "outcome" in event:
        yield f"it ended as {event['outcome']}"


def _show_policy(console: Console, policy: dict[str, Any]) -> None:
    name = escape(policy["policy"])
    if policy["verdict"] is None:
        console.print(f"\n[bold]{name}[/bold]  {escape(policy['words'])}")
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for rule in policy["rules"]:
        sign = ">" if rule["decided"] else " "
        verdict = rule["verdict"] or "-"
        said = f"{escape(rule['words'])}\n[dim]{escape(rule['says'])}{_window(rule)}[/dim]"
        table.add_row(sign, str(rule["rule"]), f"[{_STYLES.get(verdict, 'dim')}]{verdict}[/]", said)
    console.print(f"\n[bold]{name}[/bold]  [{_STYLES[policy['verdict']]}]{policy['verdict']}[/]")
    console.print(table)


def _window(rule: dict[str, Any]) -> str:
    """The state of a budget's window just before the call."""
    from spendgate.model.money import format_usd

    if "limit_nano_usd" not in rule or "used_before_nano_usd" not in rule:
        return ""
    span = f"{rule.get('window_start', 'the beginning')} to {rule.get('window_end', 'the end')}"
    sums = {name: format_usd(rule[f"{name}_nano_usd"], 6) for name in ("used_before", "recorded_before", "remaining")}
    return (
        f"\nwindow {span}, counter {rule['counter']}: admitted {sums['used_before']}, "
        f"recorded {sums['recorded_before']}, left {sums['remaining']}"
    )
