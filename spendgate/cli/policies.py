"""``spendgate policy publish | end | list``: stagings without the policy store. In development alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from spendgate.cli.endpoints import KAFKA_ENV, kafka_bootstrap
from spendgate.cli.say import FOUND, USAGE, notice, told_clearly
from spendgate.failure import REFUSED, Failure
from spendgate.ledger.reader_options import DEFAULT_TENANT
from spendgate.ledger.reader_problem import InputError
from spendgate.model.text import EXPECTED, is_name

if TYPE_CHECKING:
    from spendgate.cli.staging_board import Change, Publisher
    from spendgate.model.announcement import Announcement, Board
    from spendgate.model.policy import Policy

app = typer.Typer(no_args_is_help=True, help="Policies: their life over the API; in development also without it.")

DEV_ENV = "SPENDGATE_DEV"

Tenants = Annotated[list[str] | None, typer.Option("--tenant", help="For this tenant; may be repeated.")]
Dev = Annotated[bool, typer.Option("--dev", help="This Kafka is for development: unsigned stagings are fine.")]
Timeout = Annotated[float, typer.Option(min=1, max=3600, help="Seconds to wait for Kafka.")]
Bootstrap = Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Kafka.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON array.")]


@app.command()
def publish(
    files: Annotated[list[Path], typer.Argument(help="Policy documents, YAML or JSON.")],
    tenant: Tenants = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="End the tenant's stagings of all other policies.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Stage anew what is staged already: fresh counters.")] = False,
    dev: Dev = False,
    timeout: Timeout = 30.0,
    bootstrap: Bootstrap = None,
    as_json: Json = False,
) -> None:
    """Stage policies in shadow; a new version ends the one before it."""
    with told_clearly():
        tenants = _tenants(tenant)
        policies = policies_of(files)
        with _publisher(dev, bootstrap, timeout) as publisher:
            changes = [
                change for one in tenants for change in publisher.publish(policies, one, again=again, only=replace)
            ]
        _report(changes, as_json)


@app.command()
def end(
    name: Annotated[str, typer.Argument(help="The policy's name.")],
    tenant: Tenants = None,
    dev: Dev = False,
    timeout: Timeout = 30.0,
    bootstrap: Bootstrap = None,
    as_json: Json = False,
) -> None:
    """End the shadow stagings of a policy. Exit code 1 if there is none."""
    with told_clearly():
        tenants = _tenants(tenant)
        with _publisher(dev, bootstrap, timeout) as publisher:
            changes = [change for one in tenants for change in publisher.end(name, one)]
        _report(changes, as_json)
        if not changes:
            raise Failure("expected a policy that is staged in shadow for the tenant", FOUND)


@app.command("list")
def list_stagings(
    tenant: Tenants = None,
    ended: Annotated[bool, typer.Option("--ended", help="Those that have ended too.")] = False,
    timeout: Timeout = 30.0,
    bootstrap: Bootstrap = None,
    as_json: Json = False,
) -> None:
    """List the stagings of all tenants, or of some, as they were announced."""
    with told_clearly():
        wanted = None if tenant is None else set(_tenants(tenant))
        board = _read_board(kafka_bootstrap(bootstrap), timeout)
        found = [
            entry
            for entry in board.announcements.values()
            if (wanted is None or entry.tenant in wanted) and (ended or entry.state == "staged")
        ]
        if as_json:
            typer.echo(msgspec.json.encode(found))
        else:
            Console().print(_table(found))


def _tenants(given: list[str] | None) -> list[str]:
    tenants = given or [DEFAULT_TENANT]
    if not all(map(is_name, tenants)):
        raise InputError(f"tenant: expected {EXPECTED}")
    return list(dict.fromkeys(tenants))


def policies_of(files: list[Path]) -> "list[Policy]":
    """The policies of all files; prints every problem and ends with 1 if there is one."""
    from spendgate.model.policy_problems import PolicyErrors
    from spendgate.model.policy_source import check_bytes

    policies: list[Policy] = []
    problems: list[str] = []
    for file in files:
        sourced, found = check_bytes(file.read_bytes(), str(file))
        policies += [each.policy for each in sourced]
        if found:
            problems.append(str(PolicyErrors(str(file), found)))
    if problems:
        notice("\n".join(problems))
        raise typer.Exit(FOUND)
    if len({policy.metadata.name for policy in policies}) < len(policies):
        raise Failure("metadata.name: expected each policy once", USAGE)
    return policies


@contextmanager
def _publisher(dev: bool, option: str | None, timeout_s: float) -> "Iterator[Publisher]":
    if not (dev or _is_dev(option)):
        raise Failure(
            "refused: outside development workers accept only stagings with the policy store's signature "
            f"(for a Kafka of your own: --dev, or {DEV_ENV}=1)",
            REFUSED,
        )
    from spendgate.cli.kafka_client import Producer
    from spendgate.cli.staging_board import Publisher
    from spendgate.model.topics import load_topics

    bootstrap = kafka_bootstrap(option)
    topics = load_topics()
    board = _read_board(bootstrap, timeout_s)
    with Producer(bootstrap, timeout_s, notice) as producer:
        yield Publisher(producer, topics.policies.name, topics.events.name, board)


def _is_dev(option: str | None) -> bool:
    """Whether this is development: the environment says so, or no Kafka but the dev stack's is named."""
    return os.environ.get(DEV_ENV) == "1" or not (option or os.environ.get(KAFKA_ENV))


def _read_board(bootstrap: str, timeout_s: float) -> "Board":
    from spendgate.cli.kafka_client import TopicReader
    from spendgate.model.announcement import Board
    from spendgate.model.topics import load_topics

    board = Board()
    with TopicReader(bootstrap, load_topics().policies.name, timeout_s, notice) as reader:
        for row in reader.rows():
            board.take(row.key or b"", row.value)
    if board.unreadable:
        notice(f"{board.unreadable} records on the topic of policies cannot be read and were passed over")
    return board


def _report(changes: "list[Change]", as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(changes))
        return
    for change in changes:
        typer.echo(_line(change))


def _line(change: "Change") -> str:
    what = f"{change.policy} {change.hash[:12]} for {change.tenant}"
    if change.did == "unchanged":
        return f"unchanged: {what} is staged already as {change.staging} (--again stages it anew)"
    ends = f", ends {', '.join(change.ends)}" if change.ends else ""
    return f"{change.did}: {what} as {change.staging}{ends}"


def _table(found: "list[Announcement]") -> Table:
    table = Table("tenant", "policy", "version", "staging", "stage", "state", box=None, header_style="bold")
    for entry in found:
        table.add_row(entry.tenant, entry.policy, entry.hash[:12], entry.staging, entry.stage, entry.state)
    return table
