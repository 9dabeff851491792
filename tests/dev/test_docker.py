"""Docker is used where it answers, as the compose file says, and taken away again where it fails."""

from pathlib import Path

import pytest

from dev import docker, stack
from dev.errors import StackError
from dev.report import silent
from dev.state import State
from tests.dev.fakes import program

_ANSWERS = 'case "$1" in info) echo 28.0;; compose) echo "$SPENDGATE_KAFKA_PORT $@" >> {calls};; esac'


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker that answers, first on the PATH, and the file where it notes what it was asked."""
    program(tmp_path / "bin", "docker", _ANSWERS.format(calls=tmp_path / "calls"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return tmp_path / "calls"


@pytest.mark.parametrize("body", ["exit 1", "[ $1 = info ]", "[ $1 = info ] && echo 28.0", "echo; exit 0"], ids=str)
def test_a_docker_without_engine_or_compose_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    program(tmp_path / "bin", "docker", body)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert not docker.answers()


def test_no_docker_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not docker.answers()


def test_up_and_down_name_a_project_of_the_directory(
    tmp_path: Path, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = iter([False, False, True, True, True])
    monkeypatch.setattr(docker, "is_ready", lambda _: next(ready))
    made = stack.up(tmp_path / "home", silent)
    assert made.engine == "docker"
    assert stack.down(tmp_path / "home", wipe=True)
    started, ended = [line for line in calls.read_text().splitlines() if "--file" in line]
    port = made.bootstrap.removeprefix("127.0.0.1:")
    assert started.startswith(f"{port} compose --file ")
    assert started.endswith(" up --detach kafka redis")
    assert ended.endswith(" down --volumes")
    assert started.split("--project-name ")[1].split()[0] == ended.split("--project-name ")[1].split()[0]


def test_containers_that_never_answer_are_taken_away(
    tmp_path: Path, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker, "_READY_S", 0)
    with pytest.raises(StackError, match="did not answer"):
        stack.up(tmp_path / "home", silent, engine="docker")
    assert calls.read_text().splitlines()[-1].endswith(" down")


def test_where_docker_fails_local_processes_take_over(
    tmp_path: Path, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(docker, "_READY_S", 0)
    monkeypatch.setattr("dev.local.up", lambda *_: State("local", 1, 2, 3))
    assert stack.up(tmp_path / "home", said.append).engine == "local"
    assert any(line.endswith("; using local processes") for line in said)
    assert calls.exists()


def test_a_log_is_asked_of_the_project_of_the_directory(tmp_path: Path) -> None:
    one, two = (docker.logs_command(tmp_path / name, "kafka", 5, follow=True) for name in ("one", "two"))
    assert one[-5:] == ["--no-log-prefix", "--tail", "5", "--follow", "kafka"]
    assert one != two
