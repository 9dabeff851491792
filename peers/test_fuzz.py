"""A short hunt in every target: coverage-guided, from the seeds. A longer one: make fuzz."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

SECONDS = 4


@pytest.mark.skipif(find_spec("atheris") is None, reason="Atheris has no wheel for this Python")
@pytest.mark.parametrize("target", TARGETS)
def test_a_short_hunt_finds_nothing(target: str) -> None:
    command = [sys.executable, "-m", "tests.fuzz.hunt", target, "--seconds", str(SECONDS)]
    hunt = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert hunt.returncode == 0, hunt.stdout[-4000:] + hunt.stderr[-2000:]
