"""``spendgate enforcement``: what is enforced, turned on by two people and off by one, over the management API."""

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from spendgate.cli import enforcement_store
from spendgate.cli.api_client import Api, api
from spendgate.cli.enforcement_records import records
from spendgate.cli.gate_api import staging_of
from spendgate.cli.say import USAGE
from spendgate.failure import Failure

app = typer.Typer(no_args_is_help=True, help="What is enforced, and the flag: two people turn it on, one turns it off.")
tenant_app = typer.Typer(no_args_is_help=True, help="The flag of the whole tenant.")
global_app = typer.Typer(no_args_is_help=True, help="The flag of the whole installation.")
app.add_typer(tenant_app, name="tenant")
app.add_typer(global_app, name="global")
app.command()(records)

Policy = Annotated[str, typer.Argument(metavar="POLICY", help="The policy's name.")]
Staging = Annotated[str | None, typer.Option("--staging", help="This one. [default: the latest that can be]")]
Id = Annotated[str, typer.Argument(metavar="ID", help="The request's id.")]
Why = Annotated[str, typer.Option(help="For the audit trail.")]
Perhaps = Annotated[str | None, typer.Option("--why", help="For the audit trail.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_HURRY = "turned off from the command line"


@app.command()
def status(as_json: Json = False) -> None:
    """What is enforced now, for whom, since when, by whom, on which certificate; and what waits to be confirmed."""
    with api() as opened:
        found = opened.ask("GET", "/v1/enforcement")
        typer.echo(json.dumps(found) if as_json else "\n".join(_status(found)))


def _status(found: dict[str, Any]) -> list[str]:
    levels = {True: "on", False: "off"}
    everywhere, tenant = levels[found["levels"]["everywhere"]], levels[found["levels"]["tenant"]]
    return [*found["words"], f"global flag {everywhere}, tenant flag {tenant}", *map(_request, found["requests"])]


def _request(each: dict[str, Any]) -> str:
    until = f", until {each['expires_at'][:19]}Z" if each["state"] == "open" else ""
    by = f" by {each['decided_by']}" if each["decided_by"] else ""
    return (
        f"{each['id']}: {each['state']}{by}{until}: {_subject(each)}{_share(each['share'])}, "
        f"asked for by {each['asked_by']}: {each['why']}"
    )


def _subject(each: dict[str, Any]) -> str:
    return f"{each['level']} flag" + (f" of {each['subject']}" if each["level"] != "global" else "")


def _share(share: dict[str, Any] | None) -> str:
    if share is None:
        return ""
    if share["owners"]:
        return f" for {share['by']} {', '.join(share['owners'])}"
    return f" for {share['percent']} % of calls by {share['by']}"


@app.command()
def requests(as_json: Json = False) -> None:
    """What was asked for, the latest first."""
    with api() as opened:
        found = opened.ask("GET", "/v1/enforcement/requests")
        typer.echo(json.dumps(found) if as_json else "\n".join(map(_request, found)) or "there is none")


@app.command()
def request(
    name: Policy,
    why: Why,
    share: Annotated[
        str | None, typer.Option(metavar="FIELD=PERCENT%", help="For a share of the values alone, such as team=10%.")
    ] = None,
    only: Annotated[
        str | None, typer.Option(metavar="FIELD=VALUE,...", help="For these alone, such as team=growth,ads.")
    ] = None,
    staging: Staging = None,
    as_json: Json = False,
) -> None:
    """Ask for a policy to be enforced. Another operator confirms it within an hour, while its gate is open."""
    with api() as opened:
        id_ = staging_of(opened, name, staging, ("reconciled", "enforced", "shadow"))
        wanted = {"level": "policy", "staging": id_, "why": why}
        _ask(opened, {**wanted, **_share_of(share, only)}, as_json)


def _share_of(share: str | None, only: str | None) -> dict[str, Any]:
    if share is not None and only is not None:
        raise Failure("expected --share or --only, not both", USAGE)
    if share is not None:
        by, sign, percent = share.removesuffix("%").partition("=")
        if not (sign and percent.isascii() and percent.isdecimal() and len(percent) < 4):
            raise Failure("--share: expected FIELD=PERCENT%, such as team=10%", USAGE)
        return {"share": {"by": by, "percent": int(percent)}}
    if only is not None:
        by, sign, owners = only.partition("=")
        if not (sign and owners):
            raise Failure("--only: expected FIELD=VALUE,..., such as team=growth,ads", USAGE)
        return {"share": {"by": by, "owners": owners.split(",")}}
    return {}


def _ask(opened: Api, wanted: dict[str, Any], as_json: bool) -> None:
    found = opened.ask("POST", "/v1/enforcement/requests", json=wanted)
    if as_json:
        typer.echo(json.dumps(found))
        return
    typer.echo(_request(found))
    typer.echo(f"another operator confirms it: spendgate enforcement confirm {found['id']}")


@app.command()
def confirm(id_: Id, why: Perhaps = None, as_json: Json = False) -> None:
    """Turn on what another operator has asked for, if the gate is open at this moment."""
    with api() as opened:
        found = opened.ask("POST", f"/v1/enforcement/requests/{quote(id_, safe='')}/confirm", json={"why": why})
        typer.echo(json.dumps(found) if as_json else f"on: {_subject(found)}{_share(found['share'])}{_on(found)}")


def _on(found: dict[str, Any]) -> str:
    return f", on certificate {found['certificate']}" if found["certificate"] else ""


@app.command()
def withdraw(id_: Id, why: Perhaps = None) -> None:
    """Take a request back."""
    with api() as opened:
        found = opened.ask("POST", f"/v1/enforcement/requests/{quote(id_, safe='')}/withdraw", json={"why": why})
        typer.echo(_request(found))


@app.command()
def off(
    name: Annotated[str | None, typer.Argument(metavar="POLICY", help="The policy's name.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything of the tenant, and its own flag.")] = False,
    why: Why = _HURRY,
    staging: Staging = None,
    as_json: Json = False,
) -> None:
    """Turn enforcement off, at once; one operator is enough, and neither Kafka nor Redis is needed."""
    if everything == (name is not None):
        raise typer.BadParameter("expected a POLICY, or --all")
    with api() as opened:
        if name is None:
            _off(opened, [{"level": "tenant"}], why, as_json)
            return
        known = opened.ask("GET", "/v1/stagings", params={"policy": name})
        ids = [staging] if staging else [each["id"] for each in known if each["state"] == "enforced"]
        if not known:
            raise Failure(f"policy {name}: there is none with a staging", USAGE)
        _off(opened, [{"level": "policy", "staging": id_} for id_ in ids], why, as_json)


def _off(opened: Api, wanted: list[dict[str, str]], why: str, as_json: bool) -> None:
    answers = [opened.ask("POST", "/v1/enforcement/off", json={**each, "why": why}) for each in wanted]
    flags = [flag for answer in answers for flag in answer["flags"]]
    demoted = [id_ for answer in answers for id_ in answer["demoted"]]
    if as_json:
        typer.echo(json.dumps({"flags": flags, "demoted": demoted}))
        return
    lines = [*(f"off: {_subject(each)}" for each in flags), *(f"in shadow: {id_}" for id_ in demoted)]
    typer.echo("\n".join(lines) or "nothing was on")


@tenant_app.command("on")
def tenant_on(why: Why, as_json: Json = False) -> None:
    """Ask for the tenant's flag; it enforces nothing by itself."""
    with api() as opened:
        _ask(opened, {"level": "tenant", "why": why}, as_json)


@tenant_app.command("off")
def tenant_off(why: Why = _HURRY, as_json: Json = False) -> None:
    """Turn off the tenant's flag, and all of its enforcement."""
    with api() as opened:
        _off(opened, [{"level": "tenant"}], why, as_json)


@global_app.command("on")
def global_on(why: Why, as_json: Json = False) -> None:
    """Ask for the global flag; it enforces nothing by itself."""
    with api() as opened:
        _ask(opened, {"level": "global", "why": why}, as_json)


@global_app.command("off")
def global_off(
    why: Why = _HURRY,
    store: Annotated[
        str | None, typer.Option(metavar="URL", help="At the store's database itself, where no door answers.")
    ] = None,
    key_file: Annotated[Path | None, typer.Option(help="The store's private key, with --store.")] = None,
    as_json: Json = False,
) -> None:
    """Turn off the global flag, and all enforcement of every tenant."""
    if store is not None:
        typer.echo(enforcement_store.all_off(store, key_file, why, as_json=as_json))
        return
    with api() as opened:
        _off(opened, [{"level": "global"}], why, as_json)
