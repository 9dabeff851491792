"""Where an agent tells of itself: a port that is none, or is taken, ends it with one line that names the setting."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from agents.exits import Fatal
from agents.health import Health, port_from_env, server_from_env

ROOT = Path(__file__).resolve().parents[2]
WRONG_USAGE, MISSING = 2, 3


@pytest.mark.parametrize("text", ["http", "-1", "65536", "9" * 5000, "\u0664", "80 ", "8.0"], ids=lambda text: text[:6])
def test_what_is_no_port_is_refused_and_the_setting_named(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPENDGATE_HTTP_PORT", text)
    with pytest.raises(Fatal, match="SPENDGATE_HTTP_PORT: expected a port") as told:
        server_from_env(Health())
    assert told.value.code == WRONG_USAGE


@pytest.mark.parametrize(("text", "port"), [("0", 0), ("65535", 65535), ("", None)])
def test_a_port_is_taken_as_it_is_said(text: str, port: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPENDGATE_HTTP_PORT", text)
    assert port_from_env() == port


def test_a_reconciliation_agent_whose_port_is_taken_says_so_in_one_line() -> None:
    names = ("KAFKA", "REDIS", "LEDGER", "STORE", "STORE_KEY_FILE")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environment = {
            **os.environ, **{f"SPENDGATE_{name}": "nowhere" for name in names},
            "SPENDGATE_HTTP_PORT": str(taken.getsockname()[1]), "SPENDGATE_DEV": "1",
        }  # fmt: skip
        ended = subprocess.run(
            [sys.executable, "-m", "agents.app", "reconciliation"], cwd=ROOT, env=environment, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
    (line,) = ended.stderr.splitlines()
    assert line.startswith("spendgate: SPENDGATE_HTTP_HOST, SPENDGATE_HTTP_PORT: expected an address")
    assert ended.returncode == MISSING
