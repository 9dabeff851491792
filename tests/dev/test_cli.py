"""`spendgate dev` as a person meets it: one line, the right exit code, nothing left running."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dev.errors import StackError, disk_errors_in
from dev.kafka_process import KafkaProcess
from dev.redis_process import RedisProcess
from spendgate.cli import dev
from tests.dev.fakes import interrupt_at, linked, program, run_dev, spendgate_dev


@pytest.fixture
def home(new_directory: Callable[[], Path], kafka_libs: tuple[Path, Path]) -> Path:
    """A directory of a stack that never was, with the jars of the checkout."""
    directory = new_directory() / "stack"
    (directory / "kafka").mkdir(parents=True)
    (directory / "kafka" / "libs").symlink_to(kafka_libs[0])
    return directory


def _nothing_runs(home: Path) -> bool:
    return not KafkaProcess(home / "kafka", 1, 1).alive and not RedisProcess(home / "redis", 1).alive


def test_a_stack_goes_up_shows_itself_and_goes_down(home: Path) -> None:
    code, out, err = run_dev(home, "up", "--engine", "local", "--json")
    assert code == 0, err
    made = json.loads(out)
    assert made.keys() == {"bootstrap", "redis_url", "engine", "directory"}
    code, out, _ = run_dev(home, "status", "--json")
    shown = json.loads(out)
    assert (code, shown["ready"]) == (0, True)
    assert shown["servers"]["kafka"]["address"] == made["bootstrap"]
    assert shown["servers"]["redis"]["address"] == made["redis_url"]
    code, out, _ = run_dev(home, "logs", "redis", "--lines", "1")
    assert (code, out.count("\n")) == (0, 1)
    assert run_dev(home, "down")[:2] == (0, "stopped\n")
    assert _nothing_runs(home)
    assert run_dev(home, "status")[0] == 3


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("starting kafka", signal.SIGINT),
        ("starting redis", signal.SIGTERM),
        ("starting redis", signal.SIGINT),
        ("starting redis", signal.SIGHUP),
    ],
)
def test_an_interrupted_up_leaves_nothing_running(home: Path, moment: str, number: signal.Signals) -> None:
    assert interrupt_at(spendgate_dev(home, "up", "--engine", "local"), moment, number) == 130
    assert _nothing_runs(home)


def test_an_interrupted_download_leaves_nothing_running(tmp_path: Path) -> None:
    path = linked(tmp_path / "bin", "java", "redis-server", "sleep")
    program(path, "mvn", f"echo $$ > {tmp_path}/pid; exec sleep 60")
    process = spendgate_dev(tmp_path / "home", "up", "--engine", "local", env={"PATH": str(path)})
    assert interrupt_at(process, "fetching") == 130
    told = tmp_path / "pid"
    if pid := told.read_text().strip() if told.exists() else "":  # else the signal came before Maven did
        assert not Path(f"/proc/{pid}").exists()


def test_missing_maven_is_one_line_and_exit_code_3(tmp_path: Path) -> None:
    path = linked(tmp_path / "bin", "java", "redis-server")
    code, out, err = run_dev(tmp_path / "home", "up", "--engine", "local", env={"PATH": str(path)})
    assert (code, out) == (3, "")
    assert err == "spendgate dev: Maven is missing; install it and put `mvn` on the PATH\n"


def test_a_directory_that_cannot_be_made_is_one_line_and_exit_code_3(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, out, err = run_dev(tmp_path / "file" / "home", "up")
    assert (code, out) == (3, "")
    assert err.startswith("spendgate dev: cannot write under ")
    assert err.count("\n") == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or sys.platform != "linux" or subprocess.run(command, check=False).returncode != 0:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_is_one_line_and_exit_code_3(small_disk: Path) -> None:
    code, out, err = run_dev(small_disk / "home", "up")
    assert (code, out) == (3, "")
    assert err.startswith("spendgate dev: no space is left on the disk under ")
    assert err.count("\n") == 1


def test_a_disk_that_fills_while_kafka_starts_is_told(small_disk: Path, kafka_libs: tuple[Path, Path]) -> None:
    broker = KafkaProcess(small_disk / "kafka", libs=kafka_libs[0], java=kafka_libs[1])
    (small_disk / "filler").write_bytes(bytes((1 << 20) - (20 << 10)))
    with pytest.raises(StackError, match="no space is left on the disk"), disk_errors_in(small_disk):
        broker.start()
    assert not broker.alive


def test_a_log_that_is_not_there_is_one_line_and_exit_code_3(tmp_path: Path) -> None:
    code, _, err = run_dev(tmp_path, "logs")
    assert (code, err) == (3, "spendgate dev: kafka has no log yet: run `spendgate dev up`\n")


def test_following_a_log_as_json_is_wrong_usage() -> None:
    assert CliRunner().invoke(dev.app, ["logs", "--follow", "--json"]).exit_code == 2


@pytest.mark.parametrize("command", ["up", "down", "status", "logs"])
def test_an_installed_package_says_that_it_needs_a_checkout(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "find_spec", lambda _: None)
    result = CliRunner().invoke(dev.app, [command])
    assert result.exit_code == 3
    assert result.stderr.count("\n") == 1
    assert "runs from a checkout" in result.stderr


def test_the_command_starts_without_what_it_does_not_need() -> None:
    unwanted = "{'dev', 'kafka', 'redis', 'numba'} & sys.modules.keys()"
    check = f"import sys, spendgate.cli.dev; sys.exit(bool({unwanted}))"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
