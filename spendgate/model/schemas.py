"""The published JSON Schemas (draft 2020-12), generated from the documents themselves.

``python -m spendgate.model.schemas`` writes ``schemas/*.schema.json``; with ``--check`` it writes nothing and
exits 1 where a file differs from what the code says. What ties fields together, and which time zones there
are, only the readers know; for the rest schema and reader agree.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from pydantic.json_schema import GenerateJsonSchema

from spendgate.model.activation import Activation
from spendgate.model.alert import AlertMessage
from spendgate.model.check import Check
from spendgate.model.decision import Decision
from spendgate.model.enforcement_record import Enforcement
from spendgate.model.event import Event
from spendgate.model.policy_cases import PolicyFile
from spendgate.model.policy_types import NAME_PATTERN
from spendgate.model.privacy_settings import PrivacySettings
from spendgate.model.reconciliation import Reconciliation
from spendgate.model.review import ReviewRecord
from spendgate.model.text import MAX_CHARS

Schema: TypeAlias = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NAME_SHAPE = {"type": "string", "minLength": 1, "maxLength": MAX_CHARS}
"""What msgspec writes for ``text.Name``, whose characters it does not check itself."""


class _Untitled(GenerateJsonSchema):
    """Fields without a title: pydantic's only repeats the name."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


def enforcement_schema() -> Schema:
    """The schema of an enforcement record on the wire."""
    return of_struct(Enforcement)


def event_schema() -> Schema:
    """The schema of an event on the wire."""
    return of_struct(Event)


def activation_schema() -> Schema:
    """The schema of an activation on the wire."""
    return of_struct(Activation)


def alert_schema() -> Schema:
    """The schema of an alert, as a webhook gets it."""
    return of_struct(AlertMessage)


def check_schema() -> Schema:
    """The schema of a check on the wire."""
    return of_struct(Check)


def decision_schema() -> Schema:
    """The schema of a decision on the wire."""
    return of_struct(Decision)


def policy_schema() -> Schema:
    """The schema of a policy document, with its cases, as ``policy_source`` reads it: nothing in it is null."""
    return {"$schema": DIALECT, **_without_null(PolicyFile.model_json_schema(schema_generator=_Untitled))}


def reconciliation_schema() -> Schema:
    """The schema of a reconciliation on the wire."""
    return of_struct(Reconciliation)


def privacy_schema() -> Schema:
    """The schema of a tenant's privacy settings, as an operator writes them."""
    return {"$schema": DIALECT, **_without_null(PrivacySettings.model_json_schema(schema_generator=_Untitled))}


def review_schema() -> Schema:
    """The schema of an answered review on the wire."""
    return of_struct(ReviewRecord)


SCHEMAS: dict[str, Callable[[], Schema]] = {
    "activation": activation_schema,
    "alert": alert_schema,
    "check": check_schema,
    "decision": decision_schema,
    "enforcement": enforcement_schema,
    "event": event_schema,
    "policy": policy_schema,
    "reconciliation": reconciliation_schema,
    "privacy": privacy_schema,
    "review": review_schema,
}


def schema_text(name: str) -> str:
    """The file's text of one of ``SCHEMAS``: the same for the same code, on every machine."""
    return json.dumps(SCHEMAS[name](), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def drifted(directory: Path) -> list[str]:
    """The names whose file in ``directory`` is missing or says something else."""
    return [name for name in SCHEMAS if _stored(directory, name) != schema_text(name)]


def write(directory: Path) -> list[Path]:
    """Write every schema that has drifted; the files written."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = {name: _path(directory, name) for name in drifted(directory)}
    for name, path in paths.items():
        path.write_text(schema_text(name), encoding="utf-8")
    return list(paths.values())


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check; the exit code, 1 for drift and 3 for a directory that can't be used."""
    parser = argparse.ArgumentParser(prog="python -m spendgate.model.schemas", description="Write the JSON Schemas.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file differs")
    parser.add_argument("--dir", type=Path, default=Path("schemas"), help="where they stand (default: schemas)")
    options = parser.parse_args(arguments)
    try:
        if options.check:
            return _tell_drift(options.dir)
        _say(f"wrote {path}" for path in write(options.dir))
    except OSError as error:
        sys.stderr.write(f"{options.dir}: {error.strerror or 'cannot be used'}\n")
        return 3
    return 0


def _tell_drift(directory: Path) -> int:
    names = drifted(directory)
    _say(f"{_path(directory, name)}: differs from the code; run python -m spendgate.model.schemas" for name in names)
    return 1 if names else 0


def _say(lines: Any) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _path(directory: Path, name: str) -> Path:
    return directory / f"{name}.schema.json"


def _stored(directory: Path, name: str) -> str | None:
    try:
        return _path(directory, name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def of_struct(struct: type[msgspec.Struct]) -> Schema:
    """The schema of a document that crosses a wire."""
    return {"$schema": DIALECT, **_named(_flat_prose(msgspec.json.schema(struct)))}


def _walk(change: Callable[[Schema], Schema], node: Any) -> Any:
    """``node`` with ``change`` applied to every object in it, the innermost first."""
    if isinstance(node, dict):
        return change({key: _walk(change, value) for key, value in node.items()})
    return [_walk(change, value) for value in node] if isinstance(node, list) else node


def _named(schema: Schema) -> Schema:
    """Every string that is a ``text.Name`` with the pattern of its characters."""

    def change(node: Schema) -> Schema:
        return {**node, "pattern": NAME_PATTERN} if _NAME_SHAPE.items() <= node.items() else node

    return dict(_walk(change, schema))


def _flat_prose(schema: Schema) -> Schema:
    """Descriptions without the indentation of the docstrings that they come from."""

    def change(node: Schema) -> Schema:
        text = node.get("description")
        return {**node, "description": " ".join(text.split())} if isinstance(text, str) else node

    return dict(_walk(change, schema))


def _without_null(schema: Schema) -> Schema:
    def change(node: Schema) -> Schema:
        options = node.get("anyOf")
        if not options or {"type": "null"} not in options:
            return node
        rest = [option for option in options if option != {"type": "null"}]
        others = {key: value for key, value in node.items() if key not in ("anyOf", "default")}
        return {**others, **(rest[0] if len(rest) == 1 else {"anyOf": rest})}

    return dict(_walk(change, _flat_prose(schema)))


if __name__ == "__main__":
    sys.exit(main())
