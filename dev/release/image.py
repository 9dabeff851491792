"""Dockerfile and compose file, as far as a machine without an engine can tell.

The image is rehearsed: what the Dockerfile installs, takes out and copies is done here with the same files in a clean
environment, and every role is then asked to start. Without its settings each ends with 2 and says what it needs.
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from dev.places import CHECKOUT, COMPOSE
from dev.release.outcome import TOOLS, Outcome, ask

DOCKERFILE = CHECKOUT / "Dockerfile"
DOORS = ("agents.app", "gateway_shadow.app")
_WRONG_USAGE = 2
_RULE = re.compile(r"^!([\w./-]+)$", re.MULTILINE)


def linted() -> Outcome:
    """hadolint finds nothing."""
    found = ask(TOOLS / "hadolint", DOCKERFILE)
    return Outcome.of(found.text.splitlines() if found.code else [], "hadolint: nothing")


def composed() -> Outcome:
    """Docker's own reading of the compose file, where there is a ``docker compose``; that needs no engine."""
    if ask("docker", "compose", "version").code:
        return Outcome("not run", ("no `docker compose` here; tests/dev/test_image.py has read the file",))
    read = ask("docker", "compose", "--file", COMPOSE, "--profile", "app", "config", "--quiet")
    return Outcome.of([read.last] if read.code else [], "docker compose config")


def rehearsed(environment: Path, work: Path) -> Outcome:
    """The image's files and distributions, and each of its processes up to the settings that it asks for."""
    app, python = work / "app", environment / "bin" / "python"
    copied(app)
    for step in (
        ask(python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--no-index",
            "--no-build-isolation", "--editable", app),
        ask(python, app / "dev" / "release" / "prune.py", "spendgate[services]", cwd=work),
        ask(python, "-m", "pip", "--disable-pip-version-check", "check"),
    ):  # fmt: skip
        if step.code:
            return Outcome("failed", (step.last,))
    faults = [f"{' '.join(process)}: {last}" for process, last in _refusing(python, work)]
    return Outcome.of(faults, f"{len(processes())} processes start and ask for their settings")


def copied(app: Path) -> None:
    """What .dockerignore lets into the image, and nothing else."""
    shutil.rmtree(app, ignore_errors=True)
    for name in _RULE.findall((CHECKOUT / ".dockerignore").read_text(encoding="utf-8")):
        source, target = CHECKOUT / name, app / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(
                source, target, ignore=shutil.ignore_patterns("__pycache__", "*.nb[ci]"), dirs_exist_ok=True
            )
        else:
            shutil.copyfile(source, target)


def services() -> Mapping[str, Any]:
    """The compose file's services by name."""
    return YAML(typ="safe").load(COMPOSE)["services"]  # type: ignore[no-any-return]


def processes() -> list[tuple[str, ...]]:
    """What the compose file's own services run after ``python -m``: module and role."""
    ours = (each for each in services().values() if "app" in each.get("profiles", ()))
    return [tuple(each["command"]) for each in ours if each["command"][0] in DOORS]


def _refusing(python: Path, work: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """Those that do not end with a line that names a missing setting."""
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(work), "NUMBA_CACHE_DIR": str(work / "numba")}
    for process in processes():
        ended = ask(python, "-m", *process, cwd=work, env=bare, within_s=240)
        if ended.code != _WRONG_USAGE or "SPENDGATE_" not in ended.last:
            yield process, ended.last
