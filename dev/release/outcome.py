"""What one step of the check has found."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dev.places import CHECKOUT

State = Literal["passed", "not run", "failed"]
TOOLS = CHECKOUT / ".release" / "bin"
PYTHON = CHECKOUT / ".venv" / "bin" / "python"
OUT = CHECKOUT / "dist"
"""Where what is built, and the bill of materials, end up."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """``words`` say what was seen, or what is wrong; of what was not run, why not."""

    state: State
    words: tuple[str, ...] = ()

    @classmethod
    def of(cls, faults: Sequence[str], seen: str) -> "Outcome":
        """Failed with its faults; else passed with what was seen."""
        return cls("failed", tuple(faults)) if faults else cls("passed", (seen,))


@dataclass(frozen=True, slots=True)
class Answer:
    """How a program ended and all that it said."""

    code: int
    text: str

    @property
    def last(self) -> str:
        """Its last line that is not empty."""
        lines = [line for line in self.text.splitlines() if line.strip()]
        return lines[-1].strip() if lines else f"exit code {self.code}"


def ask(*argv: str | Path, cwd: Path = CHECKOUT, within_s: float = 600, env: dict[str, str] | None = None) -> Answer:
    """Run a program and hear it out; one that is missing or takes too long has an exit code too (127, 124)."""
    try:
        done = subprocess.run(
            [str(each) for each in argv], cwd=cwd, env=env, text=True, errors="replace", timeout=within_s, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except FileNotFoundError:
        return Answer(127, f"{Path(argv[0]).name} is missing")
    except subprocess.TimeoutExpired:
        return Answer(124, f"{Path(argv[0]).name} did not end within {within_s:g} s")
    return Answer(done.returncode, done.stdout)
