"""``spendgate admin`` and ``spendgate audit``: at the policy store's database itself, from a checkout or the image."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spendgate.cli import admin_privacy, audit_api
from spendgate.cli.say import FOUND, USAGE, notice, told_without_kafka
from spendgate.failure import NEEDED, REFUSED, Failure
from spendgate.model.text import EXPECTED, is_name

if TYPE_CHECKING:
    from policy_store.audit import Finding, Head
    from policy_store.change import Changes
    from policy_store.database import Database

app = typer.Typer(no_args_is_help=True, help="Prepare the policy store, and make first keys (from a checkout).")
audit_app = typer.Typer(no_args_is_help=True, help="The audit trail of the policy store.")
audit_app.command("list")(audit_api.list_rows)

STORE_ENV, KEY_ENV = "SPENDGATE_STORE", "SPENDGATE_STORE_KEY_FILE"
WHO = "(administrator)"

Store = Annotated[str | None, typer.Option(metavar="URL", help=f"The store's database. [default: {STORE_ENV}]")]
KeyFile = Annotated[Path | None, typer.Option(help=f"The store's private key. [default: {KEY_ENV}]")]
Tenant = Annotated[str, typer.Option(help="Whose.")]
Person = Annotated[str, typer.Option(help="Whom the key belongs to.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def init(
    tenant: Tenant,
    person: Person,
    store: Store = None,
    key_file: KeyFile = None,
    one_person: Annotated[bool, typer.Option("--one-person", help="An author may approve their own work.")] = False,
    as_json: Json = False,
) -> None:
    """Prepare the database, make the store's signing key, a tenant, and its first key, an operator's."""
    with told():
        from policy_store import api_keys, tenants
        from policy_store.migrate import migrate

        path = key_file_of(key_file)
        _require_names(tenant, person)
        with database_of(store) as (database, changes):
            migrate(database)
            admin_privacy.migrate_contents()
            signer = _signer(path)
            with changes.of(tenant, WHO) as change:
                tenants.create(change, one_person=one_person)
                shown = api_keys.create(change, person, "operator")
        _show_key(shown.text, {"tenant": tenant, "store_key": signer.public, "key_file": str(path)}, as_json)


@app.command()
def key(tenant: Tenant, person: Person, role: str, store: Store = None, as_json: Json = False) -> None:
    """Make a key of any role for a person: viewer, editor, approver, operator, ingest or content."""
    with told():
        from policy_store import api_keys, tenants

        wanted = next((each for each in api_keys.ROLES if each == role), None)
        if wanted is None:
            raise Failure(f"role: expected one of {', '.join(api_keys.ROLES)}", USAGE)
        _require_names(tenant, person)
        with database_of(store) as (_, changes), changes.of(tenant, WHO) as change:
            tenants.require(change.connection, tenant)
            shown = api_keys.create(change, person, wanted)
        _show_key(shown.text, {"tenant": tenant, "role": role}, as_json)


@app.command()
def migrate(store: Store = None) -> None:
    """Bring the database to this program's schema, and the content store's; harmless where they have it."""
    with told():
        from policy_store.migrate import migrate as run

        with database_of(store) as (database, _):
            before, after = run(database)
        _tell_schema("the schema", before, after)
        if (contents := admin_privacy.migrate_contents()) is not None:
            _tell_schema("the content store's schema", *contents)


def _tell_schema(what: str, before: str | None, after: str | None) -> None:
    typer.echo(f"{what} is {after}" + ("" if before == after else f" (was {before or 'empty'})"))


@app.command("master-key")
def master_key(
    file: Annotated[Path | None, typer.Option(help=f"A new file. [default: {admin_privacy.MASTER_ENV}]")] = None,
) -> None:
    """Make the master key, which seals the secret keys of tenants."""
    with told():
        admin_privacy.make(admin_privacy.master_key_file(file))


@app.command()
def reseal(
    store: Store = None,
    file: Annotated[Path | None, typer.Option(help=f"The master key. [default: {admin_privacy.MASTER_ENV}]")] = None,
) -> None:
    """Seal the secret keys of all tenants under the first line of the master key's file; then the others may go."""
    with told():
        path = admin_privacy.master_key_file(file)
        with database_of(store) as (database, _):
            found = admin_privacy.reseal(path, database)
        typer.echo(f"sealed anew: {found}")


@app.command("reseal-targets")
def reseal_targets(
    old_key_file: Annotated[Path, typer.Option(help="The store's private key of before.")],
    store: Store = None,
    key_file: KeyFile = None,
) -> None:
    """After the store's private key was changed: seal the addresses and secrets of alert targets under the new one."""
    with told():
        from policy_store import alert_targets, tenants
        from policy_store.signing import read_key_file

        old, new = (alert_targets.sealer_of(read_key_file(path)) for path in (old_key_file, key_file_of(key_file)))
        with database_of(store) as (database, changes):
            with database.read() as connection:
                names = tenants.names(connection)
            found = 0
            for tenant in names:
                with changes.of(tenant, WHO) as change:
                    found += alert_targets.reseal(change, old, new)
        typer.echo(f"sealed anew: {found}")


@app.command("public-key")
def public_key(key_file: KeyFile = None) -> None:
    """Print the store's public key, as workers want it in SPENDGATE_STORE_KEYS."""
    with told():
        from policy_store.signing import read_key_file

        typer.echo(read_key_file(key_file_of(key_file)).public)


@audit_app.command()
def verify(
    store: Store = None,
    head: Annotated[
        list[str] | None, typer.Option(metavar="TENANT=NUMBER:HASH", help="A head as it once was; may be repeated.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Find rows that were changed, removed or put elsewhere. Exit 1 if there is one; else print each tenant's head.

    At the store's database, from a checkout; without --store and SPENDGATE_STORE over the API, of one's own tenant.
    """
    if not (store or os.environ.get(STORE_ENV) or head):
        audit_api.verify(as_json=as_json)
        return
    with told():
        from policy_store import audit

        kept = dict(map(_head, head or []))
        with database_of(store) as (database, _), database.snapshot() as connection:
            found, heads = audit.verify(connection, kept), audit.heads(connection)
        typer.echo(_trail_json(found, heads) if as_json else _trail_text(found, heads))
        if found:
            raise Failure("the trail is not whole", FOUND)


def _trail_json(found: "list[Finding]", heads: "Mapping[str, Head]") -> str:
    rows = [{"tenant": each.tenant, "row": each.number, "words": each.words} for each in found]
    return json.dumps(
        {"whole": not found, "findings": rows, "heads": {name: str(head) for name, head in heads.items()}}
    )


def _trail_text(found: "list[Finding]", heads: "Mapping[str, Head]") -> str:
    if found:
        return "\n".join(f"{each.tenant}: row {each.number}: {each.words}" for each in found)
    whole = [
        f"{name}: whole, {head.number} rows; keep elsewhere: {name}={head}" for name, head in sorted(heads.items())
    ]
    return "\n".join(whole) or "no tenant has a trail yet"


def _head(text: str) -> "tuple[str, Head]":
    from policy_store.audit import Head

    tenant, sign, rest = text.rpartition("=")
    number, colon, hash_ = rest.partition(":")
    if not (sign and colon and number.isdecimal() and len(hash_) == 64):
        raise Failure("--head: expected TENANT=NUMBER:HASH, as this command prints it", USAGE)
    return tenant, Head(int(number), hash_)


@contextmanager
def database_of(option: str | None) -> "Iterator[tuple[Database, Changes]]":
    """The store's database at a URL, else that of the environment, until the end. Raises Failure."""
    from policy_store.change import Changes
    from policy_store.database import Database

    url = option or os.environ.get(STORE_ENV)
    if not url:
        raise Failure(f"where is the policy store? expected --store or {STORE_ENV}, such as sqlite:///store.db", USAGE)
    database = Database(url, answers_s=None)  # a step of a migration takes as long as it takes
    try:
        yield database, Changes(database)
    finally:
        database.close()


def key_file_of(option: Path | None) -> Path:
    """The store's key file, else that of the environment. Raises Failure."""
    found = option or Path(os.environ.get(KEY_ENV) or "")
    if found == Path():
        raise Failure(f"where is the store's signing key? expected --key-file or {KEY_ENV}", USAGE)
    return found


def _signer(path: Path) -> Any:
    from policy_store.signing import make_key_file, read_key_file

    if path.exists():
        return read_key_file(path)
    notice(f"a new signing key is in {path}: keep a copy where only operators reach it")
    return make_key_file(path)


def _require_names(*names: str) -> None:
    if not all(map(is_name, names)):
        raise Failure(f"--tenant, --person: expected {EXPECTED}", USAGE)


def _show_key(text: str, about: dict[str, str], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"key": text, **about}))
        return
    notice("this key is shown once, and stored as a hash:")
    typer.echo(text)
    for name, value in about.items():
        notice(f"{name.replace('_', ' ')}: {value}")


@contextmanager
def told() -> Iterator[None]:
    """Turn what the store says into one line and an exit code."""
    with told_without_kafka():
        try:
            from policy_store.errors import StoreAway, StoreError
        except ImportError:
            raise Failure("expected a checkout or the image: the policy store is not part of the wheel") from None
        try:
            yield
        except StoreAway as error:
            raise Failure(str(error), NEEDED) from None
        except StoreError as error:
            raise Failure(str(error), REFUSED) from None
