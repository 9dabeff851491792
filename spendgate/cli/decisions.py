"""``spendgate decisions``: what shadow would have said, as a table or as JSON lines."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.live import Live

from spendgate.cli.endpoints import kafka_bootstrap
from spendgate.cli.say import notice, told_clearly

if TYPE_CHECKING:
    from spendgate.cli.decisions_feed import Feed
    from spendgate.cli.kafka_client import TopicReader
    from spendgate.model.decision import Decision

_ROWS = 20


class VerdictName(StrEnum):
    """A verdict to filter by."""

    approve = "approve"
    warn = "warn"
    review = "review"
    deny = "deny"


def decisions(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    verdict: Annotated[list[VerdictName] | None, typer.Option(help="Only this verdict; may be repeated.")] = None,
    policy: Annotated[str | None, typer.Option(help="Only with a reason of this policy.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only of this tenant.")] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-n", min=1, help="The newest so many (a table: 20); with --follow --json, end then."),
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, max=3600, help="Seconds to wait for Kafka.")] = 30.0,
    bootstrap: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Kafka.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON decision a line.")] = False,
) -> None:
    """Show decisions, each of them once."""
    with told_clearly():
        from spendgate.cli.decisions_feed import Feed, Wanted
        from spendgate.cli.kafka_client import TopicReader
        from spendgate.model.topics import load_topics

        feed = Feed(Wanted(frozenset(verdict or ()), policy, tenant))
        topic = load_topics().decisions.name
        with TopicReader(kafka_bootstrap(bootstrap), topic, timeout, notice) as reader:
            if as_json:
                _print_json(_all(reader, feed, follow), limit, follow)
            else:
                _show(reader, feed, limit or _ROWS, follow)
        if feed.unreadable:
            notice(f"{feed.unreadable} messages held no decisions and were passed over")


def _all(reader: "TopicReader", feed: "Feed", follow: bool) -> Iterator["Decision"]:
    yield from feed.take(row.value for row in reader.rows())
    while follow:
        yield from feed.take(row.value for row in reader.poll())


def _print_json(found: Iterable["Decision"], limit: int | None, follow: bool) -> None:
    from spendgate.cli.decisions_feed import newest
    from spendgate.model.decision import encode_decisions

    if limit is not None:
        found = islice(found, limit) if follow else newest(found, limit)
    for decision in found:
        typer.echo(encode_decisions(decision))


def _show(reader: "TopicReader", feed: "Feed", limit: int, follow: bool) -> None:
    from spendgate.cli.decisions_feed import newest
    from spendgate.cli.decisions_table import table_of

    counts: Counter[str] = Counter()
    rows = deque(newest(_counted(feed.take(row.value for row in reader.rows()), counts), limit), maxlen=limit)
    console = Console()
    if not follow:
        console.print(table_of(rows, _title(counts)))
        return
    with Live(table_of(rows, _title(counts)), console=console, refresh_per_second=4) as live:
        while True:
            rows.extend(_counted(feed.take(row.value for row in reader.poll()), counts))
            live.update(table_of(rows, _title(counts)))


def _counted(found: Iterable["Decision"], counts: Counter[str]) -> Iterator["Decision"]:
    for decision in found:
        counts[decision.verdict] += 1
        yield decision


def _title(counts: Counter[str]) -> str:
    from spendgate.model.decision import VERDICTS

    shown = ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in VERDICTS if counts[verdict])
    return f"decisions: {shown or 'none yet'}"
