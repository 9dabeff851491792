"""``spendgate privacy content kept | read | erase | fingerprint``: what modes have kept of calls."""

import json
from typing import Annotated

import typer

from spendgate.cli.api_client import api
from spendgate.cli.say import USAGE
from spendgate.failure import Failure

app = typer.Typer(no_args_is_help=True, help="Content that privacy modes keep. Each look at it is in the audit trail.")
Source = Annotated[str, typer.Option(help="The source of the call, as its event has it.")]
Id = Annotated[str, typer.Option("--id", help="The id of the call.")]
Why = Annotated[str, typer.Option(help="Why, for the audit trail.")]
_AT = "/v1/privacy/contents"


@app.command()
def kept() -> None:
    """How many calls' content is kept."""
    with api() as opened:
        found = opened.ask("GET", _AT)
        since = f", the oldest since {found['oldest_at']}" if found["oldest_at"] else ""
        typer.echo(f"content of {found['calls']} calls is kept{since}")


@app.command()
def read(source: Source, id_: Id, why: Why) -> None:
    """Print what was said in a call, as JSON. Takes a key of the role `content`."""
    with api() as opened:
        found = opened.ask("POST", f"{_AT}/read", json={"source": source, "id": id_, "why": why})
        typer.echo(json.dumps(found, ensure_ascii=False))


@app.command()
def erase(
    why: Why,
    source: Annotated[str | None, typer.Option(help="The source of a call.")] = None,
    id_: Annotated[str | None, typer.Option("--id", help="The id of the call.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All content, and the keys that open it.")] = False,
) -> None:
    """Erase what was kept of a call, or everything. Takes an operator's key."""
    wanted = {"all": True} if everything else {"source": source, "id": id_}
    with api() as opened:
        if everything == (source is not None or id_ is not None):
            raise Failure("expected --source and --id of a call, or --all", USAGE)
        found = opened.ask("POST", f"{_AT}/erase", json={**wanted, "why": why})
        typer.echo(f"erased: content of {found['erased']} calls")


@app.command()
def fingerprint(why: Why) -> None:
    """Print the fingerprints of a content under each key, the newest first. It is read from standard input: JSON, or
    else text. Takes a key of the role `content`."""
    text = typer.get_text_stream("stdin").read()
    try:
        content = json.loads(text)
    except ValueError:
        content = text
    with api() as opened:
        found = opened.ask("POST", "/v1/privacy/fingerprints", json={"content": content, "why": why})
        typer.echo("\n".join(found["fingerprints"]))
