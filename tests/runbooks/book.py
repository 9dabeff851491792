"""A runbook as it is walked: its commands with what they print, and what happens between them.

Fences of ``console`` are run, line by line; where the fence says ``wait`` a command is asked again until it prints
what is written. A comment such as ``<!-- here: redis is emptied -->`` is what happens then, which no command of ours
brings about.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_HERE = re.compile(r"<!-- here: (.+) -->")
_FENCE = re.compile(r"```(\w*) ?(\w*)")
_PERSON = re.compile(r"(?P<command>.*?)\s+#\s*(?P<person>ann|bob|cat|dan|app)$")


@dataclass
class Happens:
    """What happens here, by its words."""

    words: str


@dataclass
class Command:
    """A command line, whose key it is run with, and the lines that it prints; ``at``: the line of the page."""

    text: str
    person: str
    waits: bool
    at: int
    expected: list[str] = field(default_factory=list)


def walked(page: Path) -> Iterator[Happens | Command]:
    """What a page says, in order."""
    fence: tuple[str, str] | None = None
    command: Command | None = None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines()):
        if (opened := _FENCE.fullmatch(line)) is not None:
            if command is not None:
                yield command
            fence, command = (None if fence else (opened[1], opened[2])), None
        elif fence is None and (here := _HERE.fullmatch(line)) is not None:
            yield Happens(here[1])
        elif fence is not None and fence[0] == "console":
            if line.startswith("$ "):
                if command is not None:
                    yield command
                command = _command(line.removeprefix("$ "), waits=fence[1] == "wait", at=number)
            elif command is not None and line:
                command.expected.append(line)


def _command(line: str, *, waits: bool, at: int) -> Command:
    found = _PERSON.fullmatch(line)
    return Command(found["command"], found["person"], waits, at) if found else Command(line, "cat", waits, at)
