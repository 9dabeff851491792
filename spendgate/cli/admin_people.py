"""``spendgate admin people``: who a provider's people are here, at the store itself."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from spendgate.cli.admin import WHO, Json, Store, database_of, told
from spendgate.cli.say import USAGE, notice
from spendgate.failure import Failure
from spendgate.model.text import EXPECTED, is_name

if TYPE_CHECKING:
    from policy_store.people import Person

app = typer.Typer(no_args_is_help=True, help="Who a provider's people are here (from a checkout).")

Name = Annotated[str, typer.Argument(help="As the provider says it, such as an e-mail address, in small letters.")]


@app.command("list")
def list_people(store: Store = None, as_json: Json = False) -> None:
    """Everybody who has signed in by a provider or is linked, and who has keys and is none of them."""
    with told():
        from policy_store import people

        with database_of(store) as (database, changes), database.read() as connection:
            known, others = people.listed(connection), people.unlinked(connection, changes.now_ms())
        if as_json:
            typer.echo(json.dumps({"people": [each._asdict() for each in known], "keys_only": others}))
            return
        Console().print(_table(known))
        if others:
            notice(f"with keys, and nobody whom a provider knows: {', '.join(others)}")
            notice(
                "if one of them is among the people above under another name: spendgate admin people link NAME PERSON"
            )


@app.command()
def link(
    name: Name,
    person: Annotated[str, typer.Argument(help="Who that is here: as older keys and drafts name them.")],
    store: Store = None,
) -> None:
    """Say who signs in by a name. Their sessions are ended; keys under the old name are to be revoked by hand."""
    with told():
        from policy_store import audit, people

        if not (is_name(name) and is_name(person)):
            raise Failure(f"NAME, PERSON: expected {EXPECTED}", USAGE)
        with database_of(store) as (_, changes), changes.of(audit.SYSTEM, WHO) as change:
            people.link(change, name, person)
        typer.echo(f"{name} is {person}")


@app.command()
def free(name: Name, store: Store = None) -> None:
    """Forget which account a name is bound to: the next account that comes by it is it."""
    with told():
        from policy_store import audit, people

        with database_of(store) as (_, changes), changes.of(audit.SYSTEM, WHO) as change:
            people.free(change, name)
        typer.echo(f"free: {name}")


@app.command()
def trail(
    store: Store = None,
    after: Annotated[int, typer.Option(min=0, help="From the row after this number on.")] = 0,
    as_json: Json = False,
) -> None:
    """Who was bound, linked and freed, and who was not let in: the store's own trail, which no tenant sees."""
    with told():
        from policy_store import audit

        with database_of(store) as (database, _), database.read() as connection:
            rows = audit.entries(connection, audit.SYSTEM, after)
        if as_json:
            typer.echo(json.dumps([each._asdict() for each in rows]))
            return
        table = Table("row", "at", "who", "action", "subject", "after", "why", box=None, header_style="bold")
        for each in rows:
            at = datetime.fromtimestamp(each.at_ms / 1000, UTC).isoformat(timespec="seconds")
            table.add_row(str(each.number), at, each.who, each.action, each.subject, each.after or "", each.why or "")
        Console().print(table)


def _table(known: "list[Person]") -> Table:
    table = Table("name", "person", "issuer", "subject", box=None, header_style="bold")
    for each in known:
        table.add_row(each.name, each.person, each.issuer or "(nobody yet)", each.subject or "")
    return table
