"""``spendgate validate``: every problem of policy files, what they probably do not mean, and their hashes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from spendgate.model.canonical import policy_hash
from spendgate.model.known_values import KnownValues, KnownValuesError, known_from_events, parse_known
from spendgate.model.policy_lint import Finding, lint, lint_names, lint_together
from spendgate.model.policy_problems import Problem, show_path
from spendgate.model.policy_source import FIELD_NAMES, MAX_BYTES, Sourced, check_bytes

SHORT_HASH_CHARS = 12
_FOUND, _USAGE, _UNREADABLE = 1, 2, 3


@dataclass
class Report:
    """What was found in all files: errors and warnings by file name, sound policies, unreadable files."""

    errors: list[tuple[str, Problem]] = field(default_factory=list)
    warnings: list[tuple[str, Problem]] = field(default_factory=list)
    sound: list[Sourced] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    def exit_code(self, *, strict: bool) -> int:
        """3 for an unreadable file, 1 for an error (or, if ``strict``, a warning), else 0."""
        if self.unreadable:
            return _UNREADABLE
        return _FOUND if self.errors or (strict and self.warnings) else 0


def validate(
    files: Annotated[list[Path], typer.Argument(help="Policy files, YAML or JSON; - reads stdin.")],
    known: Annotated[
        Path | None, typer.Option(help='Values that occur, as JSON: {"team": ["marketing"], ...}.')
    ] = None,
    events: Annotated[Path | None, typer.Option(help="Events as JSON lines, whose values occur.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 on warnings too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check policy files: every error with its place, what can't take effect, and each policy's hash.

    With --known or --events, names that match nothing known are warned of.
    """
    report = check_files(files, _known_values(known, events))
    typer.echo(json.dumps(_json(report, strict=strict)) if as_json else _text(report))
    raise typer.Exit(report.exit_code(strict=strict))


def check_files(files: Sequence[Path], known: KnownValues) -> Report:
    """Read and check all ``files``; ``known`` may be empty."""
    report = Report()
    for path in files:
        name = "<stdin>" if path == Path("-") else str(path)
        try:
            raw = _read(path)
        except OSError as error:
            report.unreadable.append((name, error.strerror or "cannot be read"))
            continue
        sourced, problems = check_bytes(raw, name)
        report.errors += [(name, problem) for problem in problems]
        report.sound += sourced
    _warn(report, known)
    return report


def _read(path: Path) -> bytes:
    """The file's bytes, but no more than show that it is too long."""
    if path == Path("-"):
        return typer.get_binary_stream("stdin").read(MAX_BYTES + 1)
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _warn(report: Report, known: KnownValues) -> None:
    together = lint_together([each.policy for each in report.sound])
    for i, sourced in enumerate(report.sound):
        findings = lint(sourced.policy) + lint_names(sourced.policy, known)
        findings += [finding for about, finding in together if about == i]
        problems = sorted(_problem(sourced, finding) for finding in findings)
        report.warnings += [(sourced.name, problem) for problem in problems]


def _problem(sourced: Sourced, finding: Finding) -> Problem:
    field_name = show_path(finding.path, FIELD_NAMES)
    return Problem(sourced.place(finding.path), field_name, finding.message, finding.nearest)


def _known_values(known: Path | None, events: Path | None) -> KnownValues:
    values: KnownValues = {}
    for path, option in ((known, "--known"), (events, "--events")):
        if path is None:
            continue
        try:
            with path.open("rb") as file:
                found = parse_known(file.read()) if option == "--known" else known_from_events(file)
        except OSError as error:
            typer.echo(f"{path}: {error.strerror or 'cannot be read'}", err=True)
            raise typer.Exit(_UNREADABLE) from None
        except KnownValuesError as error:
            typer.echo(f"{path}: {error}", err=True)
            raise typer.Exit(_USAGE) from None
        values = {name: values.get(name, []) + found.get(name, []) for name in values.keys() | found.keys()}
    return values


def _text(report: Report) -> str:
    lines = [f"{name}: {reason}" for name, reason in report.unreadable]
    lines += [problem.line_of(name) for name, problem in report.errors]
    lines += [problem.line_of(name, "warning: ") for name, problem in report.warnings]
    lines += [
        f"{each.name}: {each.policy.metadata.name} {policy_hash(each.policy)[:SHORT_HASH_CHARS]}"
        for each in report.sound
    ]
    return "\n".join(lines)


def _json(report: Report, *, strict: bool) -> dict[str, Any]:
    return {
        "ok": report.exit_code(strict=strict) == 0,
        "policies": [
            {"file": each.name, "name": each.policy.metadata.name, "hash": policy_hash(each.policy)}
            for each in report.sound
        ],
        "errors": [_problem_json(name, problem) for name, problem in report.errors],
        "warnings": [_problem_json(name, problem) for name, problem in report.warnings],
        "unreadable": [{"file": name, "reason": reason} for name, reason in report.unreadable],
    }


def _problem_json(name: str, problem: Problem) -> dict[str, Any]:
    return {
        "file": name,
        "line": problem.place.line,
        "column": problem.place.column,
        "field": problem.field,
        "message": problem.expected,
        "nearest": problem.nearest,
    }
