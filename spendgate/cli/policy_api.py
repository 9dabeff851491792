"""``spendgate policy create | edit | diff | simulate | submit | approve | decline | retire | history | apply``: a
policy's life, over the management API."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from spendgate.cli.api_client import Api, api
from spendgate.cli.policy_simulate import simulate
from spendgate.cli.say import FOUND, USAGE
from spendgate.failure import Failure

if TYPE_CHECKING:
    from spendgate.model.policy import Policy

File = Annotated[Path, typer.Argument(help="A policy document, YAML or JSON.")]
Name = Annotated[str, typer.Argument(help="The policy's name.")]
Staging = Annotated[str, typer.Argument(help="The staging's id, as `submit` and `history` print it.")]
Version = Annotated[str | None, typer.Option("--version", help="Its hash, or the first digits. [default: the latest]")]
Why = Annotated[str | None, typer.Option(help="For the audit trail.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_YAML = {"Content-Type": "application/yaml"}


def register(app: typer.Typer) -> None:
    """Add these commands to ``spendgate policy``."""
    for command in (create, edit, diff, simulate, submit, approve, decline, retire, history, apply):
        app.command()(command)


def create(file: File) -> None:
    """Make a new policy, as a draft."""
    with api() as opened:
        text = _text_of(file)
        typer.echo(_drafted(opened.ask("POST", "/v1/policies", content=text, headers=_YAML)))


def edit(file: File) -> None:
    """Make a new version of a policy, as a draft; nothing that runs is touched."""
    with api() as opened:
        policy, text = _read(file)
        at = _at(policy.metadata.name)
        typer.echo(_drafted(opened.tagged("PUT", at, at, content=text, headers=_YAML)))


def diff(
    name: Name,
    before: Annotated[str | None, typer.Option(help="A version. [default: the one before the latest]")] = None,
    after: Annotated[str | None, typer.Option(help="A version. [default: the latest]")] = None,
) -> None:
    """Say in words what changed between two versions. Exit 1 if anything did."""
    with api() as opened:
        hashes = [each["hash"] for each in opened.ask("GET", f"{_at(name)}/versions")]
        pair = {"before": before or hashes[max(0, len(hashes) - 2)], "after": after or hashes[-1]}
        changes = opened.ask("GET", f"{_at(name)}/diff", params=pair)["changes"]
        typer.echo("\n".join(changes) or "the same")
        if changes:
            raise typer.Exit(FOUND)


def submit(
    name: Name,
    version: Version = None,
    waiver: Annotated[str | None, typer.Option(help="Why it needs no simulation over a full window.")] = None,
) -> None:
    """Ask for a version to be staged in shadow."""
    with api() as opened:
        wanted = {"hash": version or _latest(opened, name), "waiver": waiver}
        typer.echo(_line(opened.ask("POST", f"{_at(name)}/stagings", json=wanted)))


def approve(staging: Staging, why: Why = None) -> None:
    """Stage in shadow what somebody else has asked for."""
    _move(staging, "approve", why)


def decline(staging: Staging, why: Why = None) -> None:
    """Say no to what was asked for."""
    _move(staging, "decline", why)


def retire(staging: Staging, why: Why = None) -> None:
    """End a staging."""
    _move(staging, "retire", why)


def history(name: Name, as_json: Json = False) -> None:
    """A policy's versions and stagings, the first one first."""
    with api() as opened:
        versions = opened.ask("GET", f"{_at(name)}/versions")
        stagings = opened.ask("GET", "/v1/stagings", params={"policy": name})
        if as_json:
            typer.echo(json.dumps({"versions": versions, "stagings": stagings}))
            return
        Console().print(_history(versions, stagings))


def apply(
    folder: Annotated[Path, typer.Argument(help="A folder of policy documents: all that the store should have.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    """Make drafts of what differs from a folder. Staging stays a matter of two people. Exit 1 on a dry run with
    differences; policies that no file has are named and left."""
    with api() as opened:
        wanted = _folder(folder)
        known = {each["name"]: each for each in opened.ask("GET", "/v1/policies")}
        changed = 0
        for name, (policy, text) in sorted(wanted.items()):
            did = _apply(opened, policy, text, known.get(name), dry_run=dry_run)
            changed += did != "unchanged"
            typer.echo(f"{did}: {name}")
        for name in sorted(known.keys() - wanted.keys()):
            typer.echo(f"not in the folder: {name} (its stagings are ended by `spendgate policy retire`)")
        if dry_run and changed:
            raise typer.Exit(FOUND)


def _apply(opened: Api, policy: "Policy", text: str, known: dict[str, Any] | None, *, dry_run: bool) -> str:
    from spendgate.model.canonical import policy_hash

    at = _at(policy.metadata.name)
    if known is not None and known["latest"]["hash"] == policy_hash(policy):
        return "unchanged"
    if not dry_run and known is None:
        opened.ask("POST", "/v1/policies", content=text, headers=_YAML)
    elif not dry_run:
        opened.tagged("PUT", at, at, content=text, headers=_YAML)
    return ("would " if dry_run else "") + ("create" if known is None else "edit")


def _folder(folder: Path) -> "dict[str, tuple[Policy, str]]":
    files = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml", ".json"))
    found: dict[str, tuple[Policy, str]] = {}
    for path in files:
        policy, text = _read(path)
        if policy.metadata.name in found:
            raise Failure(f"{path}: metadata.name: expected each policy once in a folder", USAGE)
        found[policy.metadata.name] = policy, text
    if not found:
        raise Failure(f"{folder}: expected at least one policy document", USAGE)
    return found


def _read(file: Path) -> "tuple[Policy, str]":
    from spendgate.model.policy_problems import PolicyErrors
    from spendgate.model.policy_source import read_policies

    text = _text_of(file)
    try:
        policies = read_policies(text, str(file))
    except PolicyErrors as errors:
        raise Failure(str(errors), USAGE) from None
    if len(policies) != 1:
        raise Failure(f"{file}: expected one policy", USAGE)
    return policies[0], text


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Failure(f"{file}: expected UTF-8", USAGE) from None


def _move(staging: str, action: str, why: str | None) -> None:
    with api() as opened:
        at = f"/v1/stagings/{quote(staging, safe='')}"
        typer.echo(_line(opened.tagged("POST", f"{at}/{action}", at, json={"why": why})))


def _at(name: str) -> str:
    return f"/v1/policies/{quote(name, safe='')}"


def _latest(opened: Api, name: str) -> str:
    return str(opened.ask("GET", _at(name))["latest"]["hash"])


def _drafted(found: dict[str, Any]) -> str:
    latest = found["latest"]
    return f"{latest['state']}: {found['name']} {latest['hash'][:12]}, version {latest['number']}"


def _line(staging: dict[str, Any]) -> str:
    alone = ", approved by its own author" if staging["alone"] else ""
    return f"{staging['state']}: {staging['policy']} {staging['hash'][:12]} as {staging['id']}{alone}"


def _history(versions: list[dict[str, Any]], stagings: list[dict[str, Any]]) -> Table:
    table = Table("version", "hash", "author", "state", "staging", "stage", "asked by", "decided by", box=None)
    for version in versions:
        mine: list[dict[str, Any] | None] = [each for each in stagings if each["hash"] == version["hash"]]
        for number, staging in enumerate(mine or [None]):
            about = (str(version["number"]), version["hash"][:12], version["author"], version["state"])
            names = ("id", "state", "submitted_by", "decided_by")
            used = ("",) * 4 if staging is None else tuple(staging[name] or "" for name in names)
            table.add_row(*(about if number == 0 else ("",) * 4), *used)
    return table
