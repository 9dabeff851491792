"""Writes into a runbook what its commands have printed, where it says nothing yet."""

import re
from pathlib import Path

from tests.runbooks.book import Command
from tests.runbooks.matching import NAME, Names

MOST_LINES = 22


def complete(step: Command, page: Path, names: Names) -> None:
    """A name in a command that nothing has printed yet stands for the latest of its kind."""
    for shown in re.findall(NAME, step.text):
        if (real := names.latest_instead_of(shown)) is not None:
            lines = page.read_text(encoding="utf-8").splitlines()
            at = _place(lines, step)
            lines[at] = lines[at].replace(shown, real)
            page.write_text("\n".join(lines) + "\n", encoding="utf-8")
            step.text = step.text.replace(shown, real)


def write(step: Command, printed: str, page: Path, names: Names) -> None:
    """What was printed, behind its command; the middle of much is left out."""
    found = [each.rstrip() for each in printed.splitlines() if each.strip()]
    names.lacking(found, printed)
    names.printed.extend(re.findall(NAME, printed))
    if step.expected:
        return
    if len(found) > MOST_LINES:
        found = [*found[:6], "...", *found[-3:]]
    lines = page.read_text(encoding="utf-8").splitlines()
    at = _place(lines, step)
    lines[at + 1 : at + 1] = found
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _place(lines: list[str], step: Command) -> int:
    """Where the command stands: the first of its text that has no output yet, or the first."""
    there = [n for n, line in enumerate(lines) if line == f"$ {step.text}" or line.startswith(f"$ {step.text}  #")]
    bare = [n for n in there if lines[n + 1].startswith(("$ ", "```"))]
    return (bare or there)[0]
