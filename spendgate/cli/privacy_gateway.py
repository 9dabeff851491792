"""``spendgate privacy gateway make-key | add | list | revoke``: keys of the tenant's own gateways."""

import json
import os
from base64 import b64encode
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from spendgate.cli.api_client import api
from spendgate.cli.say import notice, told_without_kafka
from spendgate.cli.wide import wide_console
from spendgate.failure import Failure

app = typer.Typer(no_args_is_help=True, help="Keys of the tenant's own gateways, which sign what they send.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_AT = "/v1/privacy/gateways"


@app.command("make-key")
def make_key(
    file: Annotated[Path, typer.Argument(help="Where the private key is written; it stays with the gateway.")],
) -> None:
    """Make an Ed25519 key in a file that only its owner may read; its public part is printed. Asks no door."""
    with told_without_kafka():
        try:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
            from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
        except ImportError:
            raise Failure("expected cryptography; run: pip install 'spendgate[services]'") from None
        key = Ed25519PrivateKey.generate()
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as opened:
            opened.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        notice(f"the private key is in {file}; register the public one: spendgate privacy gateway add NAME PUBLIC")
        typer.echo(b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode())


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What the gateway is called.")],
    public: Annotated[str, typer.Argument(help="Its public key, as `make-key` prints it.")],
    why: Annotated[str | None, typer.Option(help="For the audit trail.")] = None,
) -> None:
    """Register a gateway's public key. The id that is printed is the keyid of its signatures."""
    with api() as opened:
        made = opened.ask("POST", _AT, json={"name": name, "public": public, "why": why})
        typer.echo(f"registered: {made['id']} {made['name']}")


@app.command("list")
def list_keys(as_json: Json = False) -> None:
    """All keys, the first one first."""
    with api() as opened:
        found = opened.ask("GET", _AT)
        if as_json:
            typer.echo(json.dumps(found))
            return
        table = Table("id", "gateway", "public", "registered", "revoked", box=None)
        for each in found:
            table.add_row(
                each["id"], escape(each["name"]), each["public"], each["created_at"], each["revoked_at"] or ""
            )
        wide_console().print(table)


@app.command()
def revoke(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The key's id.")],
    why: Annotated[str, typer.Option(help="Why, for the audit trail.")],
) -> None:
    """End a key: nothing that it signs is taken any more."""
    with api() as opened:
        opened.ask("POST", f"{_AT}/{id_}/revoke", json={"why": why})
        typer.echo(f"revoked: {id_}")
