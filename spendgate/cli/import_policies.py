"""``spendgate import``: policies from the budgets of other gateways, and the list of what could not be carried."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spendgate.cli.say import FOUND, USAGE, told_without_kafka
from spendgate.failure import Failure

if TYPE_CHECKING:
    from spendgate.importers.carrying import Note
    from spendgate.importers.drafting import Draft, Imported

app = typer.Typer(
    no_args_is_help=True,
    help="Write policies from the budgets of other gateways, with a list of what could not be carried over.",
    epilog="Exit codes: 0 all of it was carried, 1 something was not, 2 wrong usage or input.",
)
File = Annotated[Path, typer.Argument(help="The file; - reads stdin.")]
Out = Annotated[Path, typer.Option(help="The folder for the policies, one file each.")]
Map = Annotated[
    list[str] | None, typer.Option("--map", metavar="KEY=FIELD", help="The scope field that KEY is. Repeatable.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def litellm(
    file: File,
    out: Out,
    mapping: Map = None,
    table: Annotated[str | None, typer.Option(help="What a bare list of rows is: teams, users, keys, ...")] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Budgets of a LiteLLM proxy: its config.yaml, or a JSON dump of its tables."""
    from spendgate.importers.litellm import import_litellm

    fields = _mapping(mapping)
    _import("LiteLLM", file, out, lambda raw: import_litellm(raw, fields, table), overwrite, as_json)


@app.command()
def portkey(file: File, out: Out, mapping: Map = None, overwrite: Overwrite = False, as_json: Json = False) -> None:
    """Usage limit policies of Portkey, as its API lists them."""
    from spendgate.importers.portkey import import_portkey

    fields = _mapping(mapping)
    _import("Portkey", file, out, lambda raw: import_portkey(raw, fields), overwrite, as_json)


@app.command()
def envoy(
    file: File,
    out: Out,
    mapping: Map = None,
    unit_usd: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=USD", help="What one unit of a domain or cost metadata key is worth. Repeatable."),
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Rate limits of Envoy: its rate limit service's descriptors, or BackendTrafficPolicy resources."""
    from spendgate.importers.envoy import import_envoy

    fields, units = _mapping(mapping), _pairs(unit_usd, "--unit-usd: expected KEY=USD")
    _import("Envoy", file, out, lambda raw: import_envoy(raw, fields, units), overwrite, as_json)


@app.command()
def helicone(
    header: Annotated[str, typer.Argument(help="The value of Helicone-RateLimit-Policy.")],
    out: Out,
    mapping: Map = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """A Helicone-RateLimit-Policy header, such as "1000;w=86400;u=cents;s=user"."""
    from spendgate.importers.helicone import import_helicone

    fields = _mapping(mapping)
    _import("Helicone", None, out, lambda _: import_helicone(header, fields), overwrite, as_json)


def _mapping(given: list[str] | None) -> dict[str, str]:
    from spendgate.model.event import SCOPE_FIELDS

    expected = f"--map: expected KEY=FIELD, FIELD being one of {', '.join(SCOPE_FIELDS)}"
    found = _pairs(given, expected)
    with told_without_kafka():
        if not set(found.values()) <= set(SCOPE_FIELDS):
            raise Failure(expected, USAGE)
    return found


def _pairs(given: list[str] | None, expected: str) -> dict[str, str]:
    pairs = [each.rpartition("=") for each in given or []]
    with told_without_kafka():
        if not all(key and value for key, _, value in pairs):
            raise Failure(expected, USAGE)
    return {key: value for key, _, value in pairs}


def _import(
    system: str, file: Path | None, out: Path, read: "Callable[[bytes], Imported]", overwrite: bool, as_json: bool
) -> None:
    from spendgate.importers.reading import NotImportable

    with told_without_kafka():
        name = "header" if file is None else "<stdin>" if file == Path("-") else file.name
        try:
            found = read(b"" if file is None else _read(file))
        except NotImportable as error:
            raise Failure(f"{name}: {error}", USAGE) from None
        paths = _write(found.drafts, f"{system} ({name if name.isprintable() else 'a file'})", out, overwrite=overwrite)
        typer.echo(json.dumps(_json(found, paths)) if as_json else "\n".join(_text(found, paths)))
        raise typer.Exit(FOUND if found.not_carried else 0)


def _read(file: Path) -> bytes:
    from spendgate.importers.reading import MAX_BYTES

    if file == Path("-"):
        return typer.get_binary_stream("stdin").read(MAX_BYTES + 1)
    with file.open("rb") as stream:
        return stream.read(MAX_BYTES + 1)


def _write(drafts: "tuple[Draft, ...]", origin: str, out: Path, *, overwrite: bool) -> list[Path]:
    """One file a policy, whole or not there; nothing is written where one would replace another unasked."""
    paths = [out / draft.file_name for draft in drafts]
    if not overwrite and any(path.exists() for path in paths):
        raise Failure(f"{out}: holds a file of that name already; name another folder or give --overwrite", USAGE)
    out.mkdir(parents=True, exist_ok=True)
    for draft, path in zip(drafts, paths, strict=True):
        part = path.with_name(f".{path.name}.part")
        try:
            part.write_text(draft.text(origin), encoding="utf-8")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return paths


def _text(found: "Imported", paths: list[Path]) -> list[str]:
    lines = [f"{len(paths)} {'policy' if len(paths) == 1 else 'policies'} written"]
    for draft, path in zip(found.drafts, paths, strict=True):
        rules = len(draft.policy.spec.rules)
        lines.append(f"  {path} ({rules} rule{'' if rules == 1 else 's'})")
    for title, notes in (("approximated", found.approximated), ("not carried", found.not_carried)):
        lines += [f"{title}: {len(notes) or 'nothing'}", *_by_reason(notes)]
    return lines


def _by_reason(notes: "Sequence[Note]") -> Iterator[str]:
    """Each reason once, and the fields that it is the reason of."""
    from spendgate.importers.carrying import shown

    for reason in dict.fromkeys(note.reason for note in notes):
        yield f"  {reason}"
        yield from (f"    {shown(note.path)}" for note in notes if note.reason == reason)


def _json(found: "Imported", paths: list[Path]) -> dict[str, Any]:
    from spendgate.importers.carrying import shown
    from spendgate.model.canonical import policy_hash

    return {
        "ok": not found.not_carried,
        "policies": [
            {
                "file": str(path),
                "name": draft.policy.metadata.name,
                "hash": policy_hash(draft.policy),
                "sources": [shown(source) for source in draft.sources],
            }
            for draft, path in zip(found.drafts, paths, strict=True)
        ],
        "approximated": [{"path": shown(note.path), "reason": note.reason} for note in found.approximated],
        "not_carried": [{"path": shown(note.path), "reason": note.reason} for note in found.not_carried],
    }
