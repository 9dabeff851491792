"""Kafka's jars are there whole, or fetched again."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.errors import StackError
from dev.jars import ensure_jars, is_complete
from dev.report import silent
from tests.dev.fakes import program

_JAVA = Path("/usr/bin/java")
_FETCH = """
for option; do case "$option" in -DoutputDirectory=*) out="${option#*=}";; esac; done
echo jar > "$out/a.jar"; echo jar > "$out/b.jar"
"""


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a Maven that does as told first on the PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")

    def says(body: str) -> None:
        program(tmp_path / "bin", "mvn", body)

    says(_FETCH)
    return says


@pytest.fixture
def libs(tmp_path: Path, maven: Callable[[str], None]) -> Path:
    """A directory of two jars, complete."""
    found = tmp_path / "kafka" / "libs"
    ensure_jars(found, _JAVA, silent)
    assert is_complete(found)
    return found


def test_jars_that_are_there_are_not_fetched_again(libs: Path, maven: Callable[[str], None]) -> None:
    maven("exit 1")
    ensure_jars(libs, _JAVA, silent)
    assert is_complete(libs)


@pytest.mark.parametrize(
    "harm",
    [
        lambda libs: (libs / "a.jar").unlink(),
        lambda libs: (libs / "a.jar").write_text(""),
        lambda libs: (libs / "c.jar").write_text("of another version"),
        lambda libs: (libs / "manifest.json").unlink(),
        lambda libs: (libs / "manifest.json").write_text("{"),
        lambda libs: (libs / "manifest.json").write_text('{"pom": "of another version", "jars": {"a.jar": 4}}'),
    ],
)
def test_what_is_not_whole_is_fetched_again(libs: Path, harm: Callable[[Path], object]) -> None:
    harm(libs)
    assert not is_complete(libs)
    ensure_jars(libs, _JAVA, silent)
    assert is_complete(libs)
    assert sorted(jar.name for jar in libs.glob("*.jar")) == ["a.jar", "b.jar"]


def test_what_a_killed_fetch_left_is_cleared(libs: Path) -> None:
    (libs / "a.jar").unlink()
    left = libs.with_name("libs.new-left")
    left.mkdir()
    (left / "half.jar").write_text("h")
    ensure_jars(libs, _JAVA, silent)
    assert not left.exists()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("echo '[INFO] ok'; echo '[ERROR] Could not transfer a.jar'; exit 1", "Could not transfer a.jar"),
        ("echo 'write failed: No space left on device'; exit 1", "no space is left on the disk"),
        ("exit 0", "Maven fetched no jar"),
    ],
)
def test_a_fetch_that_fails_says_why_in_one_line_and_leaves_nothing_that_counts(
    tmp_path: Path, maven: Callable[[str], None], body: str, told: str
) -> None:
    maven(body)
    with pytest.raises(StackError, match=told) as caught:
        ensure_jars(tmp_path / "libs", _JAVA, silent)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "libs").exists()


def test_an_interrupted_fetch_ends_maven(tmp_path: Path, maven: Callable[[str], None]) -> None:
    maven(f"echo $$ > {tmp_path}/pid; kill -{signal.SIGINT.value} $PPID; exec sleep 60")
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            ensure_jars(tmp_path / "libs", _JAVA, silent)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()
