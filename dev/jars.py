"""Kafka's jars, resolved by Maven once and then used by every broker of the checkout."""

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from dev.commands import run
from dev.errors import StackError
from dev.install import MAVEN, find_or_install
from dev.java import java_home
from dev.lock import locked
from dev.places import POM, prepare
from dev.report import Report

_MANIFEST = "manifest.json"
_ROOM_BYTES = 256 * 1024 * 1024


def ensure_jars(libs: Path, java: Path, report: Report) -> None:
    """Fill ``libs`` with the jars of ``dev/kafka/pom.xml``, unless it holds all of them already.

    The directory appears complete or not at all: Maven writes beside it (under a new name each time, as the
    Maven of a killed ``up`` may still be writing), and a manifest of sizes is written last.

    Raises:
        StackError: Maven is missing, or could not resolve them; the message names its log.
    """
    if is_complete(libs):
        return
    prepare(libs.parent, _ROOM_BYTES)
    with locked(libs.parent / f"{libs.name}.lock", report, "fetching Kafka's jars"):
        if not is_complete(libs):
            _resolve(libs, java, report)


def is_complete(libs: Path) -> bool:
    """Whether every jar that the manifest lists is there at its size, for the present ``pom.xml``."""
    try:
        manifest = json.loads((libs / _MANIFEST).read_bytes())
        return bool(manifest == _manifest(libs)) and bool(manifest["jars"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _resolve(libs: Path, java: Path, report: Report) -> None:
    log = libs.parent / "maven.log"
    maven = find_or_install(MAVEN, log, report)
    for leftover in libs.parent.glob(f"{libs.name}.new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    fresh = Path(tempfile.mkdtemp(prefix=f"{libs.name}.new-", dir=libs.parent))
    report("fetching Kafka's jars with Maven (once, about 55 MB)")
    run(_maven_command(maven, fresh), log, env={**os.environ, "JAVA_HOME": str(java_home(java))})
    manifest = _manifest(fresh)
    if not manifest["jars"]:
        raise StackError(f"Maven fetched no jar (its log: {log})")
    (fresh / _MANIFEST).write_text(json.dumps(manifest, indent=1))
    shutil.rmtree(libs, ignore_errors=True)
    fresh.rename(libs)


def _maven_command(maven: Path, output: Path) -> list[str]:
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={output}"]
    return [
        str(maven),
        "--batch-mode",
        "--no-transfer-progress",
        "--strict-checksums",
        "--file",
        str(POM),
        *goal,
    ]


def _manifest(libs: Path) -> dict[str, object]:
    jars = {jar.name: jar.stat().st_size for jar in sorted(libs.glob("*.jar"))}
    return {"pom": hashlib.sha256(POM.read_bytes()).hexdigest(), "jars": jars}
