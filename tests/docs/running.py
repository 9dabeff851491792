"""Running the commands of a page as a reader would, in their order, in a folder of its own.

Beside ``examples/`` it holds what the page shows before a block (``<!-- file: NAME -->``), what stands for the page in
``tests/docs/files``, and the seeded sample that its figures are of.
"""

import doctest
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import chdir
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from typer.testing import CliRunner

from dev.places import CHECKOUT
from spendgate.cli.main import app
from spendgate.ledger.sample import busy_hour
from spendgate.model.event import encode_events
from tests.docs.pages import blocks

_CHECK = doctest.OutputChecker().check_output
_AS_WRITTEN = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FILES = Path(__file__).parent / "files"
_STATUS = "; echo $?"
_SHOWN = {"COLUMNS": "200", "NO_COLOR": "1"}
_NOTHING: Mapping[str, str] = {}
_OF_A_SHELL = frozenset("|&;<>$`*?")


class Sample(NamedTuple):
    """A seeded busy hour, whose calls are imagined."""

    calls: int
    seed: int
    at: datetime


_NOVEMBER = Sample(30_000, 1, datetime(2026, 11, 2, 9, tzinfo=UTC))
_MORNING = Sample(30_000, 7, datetime(2026, 11, 24, 6, 40, 9, 513_823, tzinfo=UTC))
SAMPLES = {
    "README.md": {"hour.jsonl": _NOVEMBER},
    "docs/simulate.md": {"hour.jsonl": _NOVEMBER, "morning.jsonl": _MORNING},
    "docs/events.md": {"hour.jsonl": Sample(20_000, 7, datetime(2026, 11, 23, 9, tzinfo=UTC))},
    "docs/prices.md": {"hour.jsonl": Sample(2_000, 7, datetime(2026, 11, 23, 9, tzinfo=UTC))},
    "docs/policies.md": {"hour.jsonl": Sample(20_000, 7, datetime(2026, 11, 23, 9, tzinfo=UTC))},
}
MORE = {
    "docs/events.md": b'{"id": "x", "source": "s", "tenant": "acme", "time": "2026-11-23T10:00:00Z", "prompt": "?"}\n'
}
"""What stands behind a page's sample."""


class Printed(NamedTuple):
    """What a command has printed, on both outputs."""

    code: int
    out: str
    err: str


def pages_with(mark: str, pages: list[str]) -> list[str]:
    """Those that have a block of this mark."""
    return [page for page in pages if any(block.mark == mark for block in blocks(page))]


def run_page(page: str, mark: str, folder: Path, settings: Mapping[str, str] = _NOTHING) -> None:
    """Write the page's files and run its marked blocks; what they print must be as written, ``...`` standing for
    anything. A command that fails fails the test, unless what it says stands there too. ``settings``: of the
    environment; names of topics are told without the prefix that they say."""
    _prepare(page, folder)
    for block in blocks(page):
        if block.mark.startswith("file: "):
            (folder / block.mark.removeprefix("file: ")).write_text(block.text, encoding="utf-8")
        if block.mark == mark:
            for command, expected in block.steps():
                _require(command, expected, _run(command, folder, settings))


def _prepare(page: str, folder: Path) -> None:
    shutil.copytree(CHECKOUT / "examples", folder / "examples")
    own = FILES / Path(page).stem
    if own.is_dir():
        shutil.copytree(own, folder, dirs_exist_ok=True)
    for name, sample in SAMPLES.get(page, {}).items():
        with (folder / name).open("wb") as file:
            file.writelines(encode_events(event) + b"\n" for event in busy_hour(*sample, "acme"))
            file.write(MORE.get(page, b""))


def _require(command: str, expected: str, printed: Printed) -> None:
    told = printed.out if printed.code == 0 else printed.out + printed.err
    assert printed.code == 0 or expected.strip() not in ("", "..."), f"{command}\n{told}"
    assert _CHECK(expected, told, _AS_WRITTEN), f"{command}\n{expected}\n---\n{told}"


def _run(command: str, folder: Path, settings: Mapping[str, str]) -> Printed:
    plain, tells = command.removesuffix(_STATUS).partition("  #")[0].strip(), command.endswith(_STATUS)
    if not plain.startswith("spendgate ") or _OF_A_SHELL & set(plain):
        return _by_shell(command, folder, settings)
    printed = _here(shlex.split(plain)[1:], folder, settings)
    return Printed(0, f"{printed.out}{printed.err}{printed.code}\n", "") if tells else printed


def _here(words: list[str], folder: Path, settings: Mapping[str, str]) -> Printed:
    """In this process: to start one takes a second."""
    with chdir(folder):
        done = CliRunner().invoke(app, words, env={**_SHOWN, **settings}, prog_name="spendgate")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    prefix = settings.get("SPENDGATE_TOPIC_PREFIX", "")
    return Printed(
        done.exit_code, *(each.replace(prefix, "") if prefix else each for each in (done.stdout, done.stderr))
    )


def _by_shell(command: str, folder: Path, settings: Mapping[str, str]) -> Printed:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, **_SHOWN, **settings, "PATH": path}
    done = subprocess.run(
        ["bash", "-euc", command], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    return Printed(done.returncode, done.stdout, done.stderr)
