"""The wheel and the source archive: what is in them, and that the wheel alone gives the command."""

import json
import re
import shutil
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from dev.places import CHECKOUT
from dev.release.outcome import OUT, PYTHON, Answer, Outcome, ask
from spendgate import __version__

_WHEEL = re.compile(r"spendgate(/|-[^/]+\.dist-info/)")
_SOURCE = re.compile(
    r"spendgate-[^/]+/(spendgate/|topics\.yaml|README\.md|LICENSE|CHANGELOG\.md|PKG-INFO|pyproject\.toml|\.gitignore)"
)
_POLICY = CHECKOUT / "examples" / "marketing-monthly.yaml"
_EVENT = {
    "id": "e-1", "source": "sample", "tenant": "acme", "time": "2026-11-02T09:00:00Z", "team": "marketing",
    "vendor": "openai", "model": "gpt-4o", "input_tokens": 1000, "output_tokens": 100, "cost_nano_usd": 26_000_000_000,
}  # fmt: skip


def build() -> Outcome:
    """Both archives in ``dist/``, holding the library and nothing else; the source archive gives the same wheel."""
    for old in OUT.glob("spendgate-*"):
        old.unlink()
    built = ask(PYTHON, "-m", "build", "--quiet", "--no-isolation", "--outdir", OUT, ".")
    if built.code:
        return Outcome("failed", (f"build: {built.last}",))
    wheels, sources = list(OUT.glob("*.whl")), list(OUT.glob("*.tar.gz"))
    if [len(wheels), len(sources)] != [1, 1]:
        return Outcome("failed", (f"expected one wheel and one source archive in {OUT}",))
    with zipfile.ZipFile(wheels[0]) as wheel, tarfile.open(sources[0]) as source:
        inside, beside = wheel.namelist(), source.getnames()
    faults = [*_strange(inside, _WHEEL, "wheel"), *_strange(beside, _SOURCE, "source archive")]
    return Outcome.of(faults, f"{wheels[0].name} ({len(inside)} files), {sources[0].name} ({len(beside)} files)")


def clean_environment(folder: Path) -> Outcome:
    """A new environment with the whole lock, every hash checked; what follows takes out of it."""
    shutil.rmtree(folder, ignore_errors=True)
    made = ask(PYTHON, "-m", "venv", folder)
    if made.code == 0:
        made = _pip(folder, "install", "--quiet", "--require-hashes", "--requirement", CHECKOUT / "requirements.lock")
    return (
        Outcome("failed", (made.last,)) if made.code else Outcome("passed", ("the lock installs, every hash checked",))
    )


def wheel_alone(folder: Path, work: Path) -> Outcome:
    """The wheel with what it needs and no more: the command says its version, validates and simulates."""
    (wheel,) = OUT.glob("*.whl")
    for step in (
        _pip(folder, "install", "--quiet", "--no-deps", "--no-index", "--force-reinstall", wheel),
        ask(folder / "bin" / "python", CHECKOUT / "dev" / "release" / "prune.py", "spendgate", cwd=work),
        _pip(folder, "check"),
    ):
        if step.code:
            return Outcome("failed", (step.last,))
    events = work / "events.jsonl"
    events.write_text(json.dumps(_EVENT) + "\n", encoding="utf-8")
    faults = [fault for fault in _runs(folder / "bin" / "spendgate", events, work) if fault]
    return Outcome.of(faults, "spendgate --version, validate, simulate, with the wheel's own dependencies alone")


def _runs(command: Path, events: Path, work: Path) -> Iterable[str | None]:
    version = ask(command, "--version", cwd=work)
    yield None if version.code == 0 and __version__ in version.text else f"--version: {version.last}"
    valid = ask(command, "validate", _POLICY, cwd=work)
    yield None if valid.code == 0 else f"validate: {valid.last}"
    simulated = ask(command, "simulate", "--policy", _POLICY, "--events", events, "--json", cwd=work)
    yield None if simulated.code == 0 and '"deny"' in simulated.text else f"simulate: {simulated.last}"


def _pip(folder: Path, *arguments: str | Path) -> Answer:
    return ask(folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", *arguments)


def _strange(names: Iterable[str], allowed: re.Pattern[str], where: str) -> list[str]:
    return [f"the {where} holds {name}, which is not of the library" for name in names if not allowed.match(name)]
