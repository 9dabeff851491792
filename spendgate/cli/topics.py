"""``spendgate topics``: the topics of a cluster against ``topics.yaml``."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from spendgate.cli.endpoints import kafka_bootstrap
from spendgate.cli.say import FOUND, notice, told_clearly
from spendgate.failure import REFUSED, Failure

if TYPE_CHECKING:
    from spendgate.model.topics import Topics
    from spendgate.model.topics_plan import Action

app = typer.Typer(no_args_is_help=True, help="Compare the topics of a cluster with topics.yaml, and make them so.")

Bootstrap = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Kafka. [default: SPENDGATE_KAFKA, else the dev stack]"),
]
Replication = Annotated[
    int | None,
    typer.Option(min=1, max=32767, help="Replicas. [default: SPENDGATE_REPLICATION, else topics.yaml]"),
]
TimeoutS = Annotated[float, typer.Option("--timeout", min=0.1, max=600, help="Seconds to wait for Kafka.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("plan")
def plan_topics(
    bootstrap: Bootstrap = None,
    replication: Replication = None,
    timeout: TimeoutS = 10.0,
    as_json: Json = False,
) -> None:
    """Show what apply would change."""
    with told_clearly():
        actions = _differences(kafka_bootstrap(bootstrap), _topics(replication), timeout)
        _print(actions, as_json, "actions", "nothing to change")


@app.command()
def check(
    bootstrap: Bootstrap = None,
    replication: Replication = None,
    timeout: TimeoutS = 10.0,
    as_json: Json = False,
) -> None:
    """Compare, and end with 1 where anything differs."""
    with told_clearly():
        actions = _differences(kafka_bootstrap(bootstrap), _topics(replication), timeout)
        _print(actions, as_json, "drift", "as in topics.yaml")
    if actions:
        raise typer.Exit(FOUND)


@app.command()
def apply(
    bootstrap: Bootstrap = None,
    replication: Replication = None,
    timeout: TimeoutS = 10.0,
    as_json: Json = False,
) -> None:
    """Make the changes that are safe.

    Ends with 4, having changed nothing, where a partition count would have to change that must not; with 1
    where something is left to the operator.
    """
    with told_clearly():
        done, left = _apply(kafka_bootstrap(bootstrap), _topics(replication), timeout)
        if as_json:
            typer.echo(json.dumps({"applied": _as_json(done), "remaining": _as_json(left)}))
        else:
            none = "nothing changed" if left else "nothing to change"
            typer.echo("\n".join(map(_line, done)) or none)
            for action in left:
                notice(f"left to do: {_line(action)}")
    if left:
        raise typer.Exit(FOUND)


def _topics(replication: int | None) -> "Topics":
    from spendgate.model.topics import load_topics

    return load_topics(replication=replication)


def _differences(bootstrap: str, topics: "Topics", timeout_s: float) -> list["Action"]:
    from spendgate.cli.kafka_admin import admin_client, read_topics
    from spendgate.model.topics_plan import plan

    with admin_client(bootstrap, int(timeout_s * 1000)) as client:
        return plan(topics.all, read_topics(client, [topic.name for topic in topics.all]))


def _apply(bootstrap: str, topics: "Topics", timeout_s: float) -> tuple[list["Action"], list["Action"]]:
    """What was done and what is left."""
    from spendgate.cli.kafka_admin import admin_client, carry_out, read_topics, remaining
    from spendgate.model.topics_plan import plan

    with admin_client(bootstrap, int(timeout_s * 1000)) as client:
        actions = plan(topics.all, read_topics(client, [topic.name for topic in topics.all]))
        if refused := [action for action in actions if action.kind == "refuse"]:
            raise Failure(f"refused, and nothing changed: {'; '.join(map(_line, refused))}", REFUSED)
        carry_out(client, actions, topics.all)
        return [action for action in actions if action.automatic], remaining(client, topics.all, timeout_s)


def _print(actions: Sequence["Action"], as_json: bool, key: str, none: str) -> None:
    if as_json:
        typer.echo(json.dumps({key: _as_json(actions)}))
    else:
        typer.echo("\n".join(map(_line, actions)) or none)


def _as_json(actions: Sequence["Action"]) -> list[dict[str, str | None]]:
    return [asdict(action) for action in actions]


def _line(action: "Action") -> str:
    expected = "the broker's default" if action.expected is None else action.expected
    actual = "none" if action.actual is None else action.actual
    why = f" ({action.why})" if action.why else ""
    return f"{action.kind:8} {action.topic} {action.setting}: expected {expected}, actual {actual}{why}"
