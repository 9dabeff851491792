"""Running the commands of a page as a reader would, in their order, in a folder of its own."""

import doctest
import os
import shutil
import subprocess
import sys
from pathlib import Path

from dev.places import CHECKOUT
from tests.docs.pages import blocks

_CHECK = doctest.OutputChecker().check_output
_AS_WRITTEN = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def pages_with(mark: str, pages: list[str]) -> list[str]:
    """Those that have a block of this mark."""
    return [page for page in pages if any(block.mark == mark for block in blocks(page))]


def run_page(page: str, mark: str, folder: Path) -> None:
    """Write the page's files and run its marked blocks; what they print must be as written, ``...`` standing for
    anything. A command that fails fails the test."""
    shutil.copytree(CHECKOUT / "examples", folder / "examples")
    environment = {
        **os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "200", "NO_COLOR": "1",
    }  # fmt: skip
    for block in blocks(page):
        if block.mark.startswith("file: "):
            (folder / block.mark.removeprefix("file: ")).write_text(block.text, encoding="utf-8")
        if block.mark == mark:
            for command, expected in block.steps():
                done = subprocess.run(
                    ["bash", "-euc", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
                )
                assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
                assert _CHECK(expected, done.stdout, _AS_WRITTEN), f"{command}\n{expected}\n---\n{done.stdout}"
