"""``spendgate certificate show | verify``: the evidence on which a policy is enforced. ``verify`` needs no server."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from spendgate.cli.api_client import api
from spendgate.cli.gate_api import at, staging_of
from spendgate.cli.policies import policies_of
from spendgate.cli.say import FOUND, USAGE, told_without_kafka
from spendgate.failure import Failure

if TYPE_CHECKING:
    from spendgate.reconcile.certificate import Certificate, Wanted
    from spendgate.reconcile.public_keys import PublicKeys

app = typer.Typer(no_args_is_help=True, help="Certificates: what was proven of a policy, signed.")
KEYS_ENV = "SPENDGATE_STORE_KEYS"
_MOST_BYTES = 4 * 2**20


@app.command()
def show(
    what: Annotated[str, typer.Argument(metavar="POLICY|FILE", help="A policy's name, or a file with a certificate.")],
    staging: Annotated[str | None, typer.Option("--staging", help="Of this one. [default: the latest]")] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="The certificate itself, to the byte, as `verify` reads it.")
    ] = False,
) -> None:
    """What a certificate says. A file is read as it is; of a policy the latest one is asked for over the API."""
    if Path(what).is_file():
        with told_without_kafka():
            text, holds = _bytes_of(Path(what)).decode("utf-8", "replace"), None
    else:
        with api() as opened:
            id_ = staging_of(opened, what, staging, ("shadow", "reconciled", "enforced", "retired"))
            found = opened.ask("GET", f"{at(id_)}/certificate")
            text = opened.text(f"/v1/certificates/{quote(found['id'], safe='')}")
            holds = "it holds now" if found["holds"] else f"it does not hold now ({found['refused']}): {found['why']}"
    with told_without_kafka():
        typer.echo(
            text.removesuffix("\n") if raw else "\n".join([*_words(_read(text.encode())), *filter(None, [holds])])
        )


@app.command()
def verify(
    file: Annotated[
        Path, typer.Argument(help="The certificate, as `show --raw` prints it; - for stdin.", allow_dash=True)
    ],
    key: Annotated[
        list[str] | None, typer.Option(metavar="BASE64", help=f"A public key that may have signed; may be repeated. "
                                       f"[default: {KEYS_ENV}]")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="It must be of this tenant.")] = None,
    staging: Annotated[str | None, typer.Option(help="It must be of this staging.")] = None,
    policy: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="It must be of exactly this policy document.")
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="It must be by this version of the engine, or by `any`. [default: this one's]")
    ] = None,
    at_: Annotated[
        str | None, typer.Option("--at", help="It must hold at this instant, RFC 3339. [default: now]")
    ] = None,
) -> None:  # fmt: skip
    """Whether a certificate is valid, by the public key alone and without a server.

    Exit code 0: valid; 1: refused, by name.
    """
    with told_without_kafka():
        from spendgate.reconcile.certificate import verify as problem_of

        raw = _bytes_of(file)
        problem = problem_of(raw, _keys(key), _instant(at_), _wanted(tenant, staging, policy, engine))
        if problem is not None:
            typer.echo(f"refused: {problem.code}: {problem.words}")
            raise typer.Exit(FOUND)
        typer.echo("\n".join(["valid", *_words(_read(raw))]))


def _bytes_of(file: Path) -> bytes:
    raw = typer.get_binary_stream("stdin").read(_MOST_BYTES) if str(file) == "-" else file.read_bytes()[:_MOST_BYTES]
    return bytes(raw)


def _keys(given: list[str] | None) -> "PublicKeys":
    texts = given or [each.strip() for each in os.environ.get(KEYS_ENV, "").split(",") if each.strip()]
    if not texts:
        raise Failure(f"expected --key or {KEYS_ENV}, as `spendgate admin public-key` prints it", USAGE)
    try:
        from spendgate.reconcile.public_keys import BadKey, PublicKeys
    except ImportError:
        raise Failure("expected a library for signatures; run: pip install 'spendgate[services]'") from None
    try:
        return PublicKeys(texts)
    except BadKey as error:
        raise Failure(f"--key: {error}", USAGE) from None


def _instant(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Failure("--at: expected an instant with its offset, such as 2026-05-01T00:00:00Z", USAGE)
    return found


def _wanted(tenant: str | None, staging: str | None, policy: Path | None, engine: str | None) -> "Wanted":
    from spendgate.engine.version import ENGINE_VERSION
    from spendgate.model.canonical import policy_hash
    from spendgate.reconcile.certificate import Wanted

    found = None if policy is None else policies_of([policy])
    if found is not None and len(found) != 1:
        raise Failure("--policy: expected a file with one policy", USAGE)
    return Wanted(
        tenant=tenant, staging=staging, policy=found[0].metadata.name if found else None,
        hash=policy_hash(found[0]) if found else None,
        engine_version=None if engine == "any" else engine or ENGINE_VERSION,
    )  # fmt: skip


def _read(raw: bytes) -> "Certificate":
    from spendgate.reconcile.certificate import Certificate, read

    found = read(raw)
    if not isinstance(found, Certificate):
        raise Failure(f"{found.code}: {found.words}", USAGE)
    return found


def _words(found: "Certificate") -> list[str]:
    settings = ", ".join(f"{name} {value}" for name, value in sorted(found.settings.items()))
    offsets = ", ".join(f"{each.topic}/{each.partition} up to {each.last}" for each in found.offsets)
    versions = ", ".join(f"{name} {version}" for name, version in sorted(found.ledger_versions.items()))
    return [
        f"certificate   {found.id}, by key {found.signature.partition(':')[0]}",
        f"of            {found.policy} {found.hash[:12]} as {found.staging}, tenant {found.tenant}",
        f"holds         {found.issued_at:%Y-%m-%d %H:%M:%S}Z to {found.expires_at:%Y-%m-%d %H:%M:%S}Z",
        f"observed      {found.observed.from_:%Y-%m-%d %H:%M}Z to {found.observed.to:%Y-%m-%d %H:%M}Z",
        f"replayed      {offsets}; ledger {versions}",
        f"engine        {found.engine_version}",
        f"settings      {settings}",
        f"price book    {(found.price_book_hash or 'not told')[:12]}",
        f"evidence      {found.reconciliation}, SHA-256 {found.reconciliation_sha256[:12]}",
        *map(_criterion, found.criteria),
    ]


def _criterion(each: Any) -> str:
    measured = "not known" if each.measured is None else f"{each.measured:,}"
    numbers = f": {measured}, at {each.bound} {each.threshold:,} {each.unit}" if each.unit else ""
    waived = "" if each.waiver is None else f"; waived: {each.waiver}"
    return f"  {each.outcome:<14}{each.words}{numbers}{waived}"
