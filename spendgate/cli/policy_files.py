"""Policy files for commands that need them sound: every problem on stderr, and exit code 2."""

from collections.abc import Sequence
from pathlib import Path

import typer

from spendgate.cli.say import USAGE, notice
from spendgate.model.policy_source import MAX_BYTES, Sourced, check_bytes


def read_sourced(files: Sequence[Path]) -> list[Sourced]:
    """The policies of all files, in order; ``-`` is stdin. Raises OSError for a file that can't be read."""
    sourced: list[Sourced] = []
    broken = False
    for path in files:
        name = "<stdin>" if path == Path("-") else str(path)
        found, problems = check_bytes(_read(path), name)
        sourced += found
        for problem in problems:
            notice(problem.line_of(name))
        broken = broken or bool(problems)
    if broken:
        raise typer.Exit(USAGE)
    return sourced


def _read(path: Path) -> bytes:
    """The file's bytes, but no more than show that it is too long."""
    if path == Path("-"):
        return typer.get_binary_stream("stdin").read(MAX_BYTES + 1)
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)
