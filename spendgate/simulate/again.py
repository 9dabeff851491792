"""Does a report still hold? The same inputs give the same bytes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spendgate.ledger.reader_problem import InputError
from spendgate.simulate.report import KIND, encode


def read_report(path: Path) -> dict[str, Any]:
    """A report that ``--json`` printed. Raises InputError for anything else, and OSError."""
    try:
        report = json.loads(path.read_bytes())
    except ValueError:
        raise InputError(f"{path.name}: expected a report as simulate --json prints it") from None
    if not isinstance(report, dict) or report.get("report") != KIND or not _is_command(report.get("command")):
        raise InputError(f"{path.name}: expected a report of kind {KIND}")
    return report


def _is_command(command: object) -> bool:
    return (
        isinstance(command, list)
        and command[:2] == ["spendgate", "simulate"]
        and all(isinstance(each, str) for each in command)
    )


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The sections that differ, named; the inputs first, since they explain the rest."""
    if encode(before) == encode(after):
        return []
    first = ("engine_version", "policies", "source", "prices")
    names = [*first, *sorted(set(before) | set(after) - set(first))]
    return [name for name in dict.fromkeys(names) if before.get(name) != after.get(name)]
