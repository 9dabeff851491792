"""``spendgate enforcement records``: what enforcing did and did not do, from its topic."""

import heapq
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from spendgate.cli.endpoints import kafka_bootstrap
from spendgate.cli.say import notice, told_clearly
from spendgate.model.enforcement_record import EnforcementKind

if TYPE_CHECKING:
    from spendgate.model.enforcement_record import Enforcement

KindName = StrEnum("KindName", [(each, each) for each in get_args(EnforcementKind)])  # type: ignore[misc]
"""A kind to filter by."""
_NEWEST = 20


def records(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    kind: Annotated[list[KindName] | None, typer.Option(help="Only this kind; may be repeated.")] = None,
    policy: Annotated[str | None, typer.Option(help="Only of this policy.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only of this tenant.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The newest so many.")] = _NEWEST,
    timeout: Annotated[float, typer.Option(min=1, max=3600, help="Seconds to wait for Kafka.")] = 30.0,
    bootstrap: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Kafka.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON record a line.")] = False,
) -> None:
    """What enforcing did and did not do: leases, calls that were blocked or let through, and why."""
    with told_clearly():
        from spendgate.cli.kafka_client import TopicReader
        from spendgate.model.enforcement_record import encode_enforcement
        from spendgate.model.topics import load_topics

        def wanted(found: "Enforcement") -> bool:
            return (
                (not kind or found.kind in kind) and policy in (None, found.policy) and tenant in (None, found.tenant)
            )

        def show(found: "Iterable[Enforcement]") -> None:
            for each in found:
                typer.echo(encode_enforcement(each) if as_json else line_of(each))

        with TopicReader(kafka_bootstrap(bootstrap), load_topics().enforcements.name, timeout, notice) as reader:
            stood = filter(wanted, _read(row.value for row in reader.rows()))
            show(reversed(heapq.nlargest(limit, stood, key=lambda each: each.time)))
            while follow:
                show(filter(wanted, _read(row.value for row in reader.poll())))


def _read(values: Iterable[bytes | None]) -> "Iterator[Enforcement]":
    """The records of messages; of what is none one line is said."""
    from spendgate.model.enforcement_record import read_enforcement

    unreadable = 0
    for value in values:
        found = read_enforcement(value or b"")
        if found is None:
            unreadable += 1
        else:
            yield found
    if unreadable:
        notice(f"{unreadable} messages held no record and were passed over")


def line_of(record: "Enforcement") -> str:
    """A record in words."""
    from spendgate.model.words import money

    calls = f"{record.calls:,} calls" if record.calls != 1 else ""
    cost = "" if record.estimate_nano_usd is None else f"estimated at {money(record.estimate_nano_usd)}"
    parts = (record.verdict, record.code, record.why, calls, cost, record.check_id, record.certificate)
    said = ", ".join(each.replace("_", " ") if each in (record.code, record.why) else each for each in parts if each)
    kind = record.kind.replace("_", " ")
    return (
        f"{record.time:%Y-%m-%dT%H:%M:%SZ}  {record.tenant}  {record.policy} ({record.staging})  {kind}: {said or '-'}"
    )
