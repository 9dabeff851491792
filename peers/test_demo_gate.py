"""The story of the gate, whole, as ``make demo-gate`` plays it; outside ``make test`` for it takes about a minute."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dev.demo_gate.facts import Facts
from dev.demo_gate.month import TOO_NEAR, ends_soon
from dev.kafka_process import KafkaProcess
from dev.places import shared_libs
from dev.redis_process import RedisProcess
from tests.live.waiting import until

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory of a stack that never was, with the jars of the checkout."""
    (tmp_path / "kafka").mkdir()
    if shared_libs().is_dir():
        (tmp_path / "kafka" / "libs").symlink_to(shared_libs())
    return tmp_path


def started(home: Path) -> "subprocess.Popen[str]":
    """The demo, with its state in ``home``, in a month that goes on; it hears Ctrl-C, whatever started the tests."""
    until(lambda: not ends_soon(datetime.now(UTC)), "the month to have turned", 2 * TOO_NEAR.total_seconds())
    run = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    run += "from dev.demo_gate.__main__ import main\nimport typer\ntyper.run(main)"
    return subprocess.Popen(
        [sys.executable, "-c", run], cwd=ROOT, env={**os.environ, "SPENDGATE_DEV_DIR": str(home)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def left(home: Path) -> list[str]:
    """What still runs of it."""
    return [
        *(name for name, server in servers(home) if server.alive),
        *(path.parent.name for path in Path("/proc").glob("[0-9]*/environ") if str(home).encode() in read(path)),
    ]


def servers(home: Path) -> Iterator[tuple[str, KafkaProcess | RedisProcess]]:
    """Its servers."""
    yield "kafka", KafkaProcess(home / "kafka", 1, 1)
    yield "redis", RedisProcess(home / "redis", 1)


def read(path: Path) -> bytes:
    """Nothing where it is gone or another's."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.timeout(800)
def test_every_fact_of_the_story_is_observed_and_nothing_is_left_running(home: Path) -> None:
    process = started(home)
    said, _ = process.communicate(timeout=390)
    facts = json.loads(said.rstrip().splitlines()[-1])
    assert facts.keys() == Facts.__dataclass_fields__.keys()
    assert (process.returncode, facts) == (0, dict.fromkeys(facts, True)), said[-3000:]
    assert left(home) == []


@pytest.mark.timeout(700)
def test_ctrl_c_in_mid_story_leaves_nothing_running(home: Path) -> None:
    process = started(home)
    assert process.stdout is not None
    assert any("Shadow looks on" in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130, said
    until(lambda: left(home) == [], "the end of all that was started")
