"""Programs that the stack needs: found, installed where that needs no question, or named."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.commands import answer, run
from dev.errors import StackError
from dev.report import Report

_COMMANDS: Mapping[str, str] = {
    "apt-get": "sudo apt-get install",
    "dnf": "sudo dnf install",
    "yum": "sudo yum install",
    "zypper": "sudo zypper install",
    "pacman": "sudo pacman -S",
    "apk": "sudo apk add",
    "brew": "brew install",
}


@dataclass(frozen=True, slots=True)
class Tool:
    """A program, its name for people, and its package: Debian's, and by manager where that differs."""

    program: str
    title: str
    package: str
    others: Mapping[str, str]


MAVEN = Tool("mvn", "Maven", "maven", {})
JAVA = Tool(
    "java",
    "Java 17 or newer",
    "default-jre-headless",
    {
        "dnf": "java-latest-openjdk-headless",
        "yum": "java-17-openjdk-headless",
        "zypper": "java-17-openjdk-headless",
        "pacman": "jre-openjdk-headless",
        "apk": "openjdk17-jre-headless",
        "brew": "openjdk",
    },
)
_PATIENCE = ("-o", "DPkg::Lock::Timeout=120")
"""Another apt-get, such as that of a killed ``up``, is waited for."""


def find_or_install(tool: Tool, log: Path, report: Report) -> Path:
    """The program on the PATH; on Debian, as root or with a sudo that asks nothing, it is installed first.

    Raises:
        StackError: it is missing; the message has the command that installs it here.
    """
    return _on_path(tool) or _installed(tool, log, report)


def missing(tool: Tool) -> StackError:
    """The one line for a missing program."""
    for manager, command in _COMMANDS.items():
        if shutil.which(manager):
            package = tool.others.get(manager, tool.package)
            return StackError(f"{tool.title} is missing; install it with: {command} {package}")
    return StackError(f"{tool.title} is missing; install it and put `{tool.program}` on the PATH")


def install(tool: Tool, log: Path, report: Report) -> None:
    """Install the tool's package with apt-get, or raise the StackError that names the command."""
    prefix = _apt_get()
    if prefix is None:
        raise missing(tool)
    report(f"installing {tool.title} with apt-get")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    installing = [*prefix, "install", "-y", "--no-install-recommends", tool.package]
    try:
        run(installing, log, env=environment)
    except StackError:
        run([*prefix, "update"], log, env=environment)
        run(installing, log, env=environment)


def _installed(tool: Tool, log: Path, report: Report) -> Path:
    install(tool, log, report)
    found = _on_path(tool)
    if found is None:
        raise missing(tool)
    return found


def _on_path(tool: Tool) -> Path | None:
    found = shutil.which(tool.program)
    return Path(found) if found else None


def _apt_get() -> list[str] | None:
    """How to call apt-get without a password here; None where that cannot be."""
    apt_get = shutil.which("apt-get")
    if apt_get is None:
        return None
    if os.geteuid() == 0:
        return [apt_get, *_PATIENCE]
    if shutil.which("sudo") and answer(["sudo", "-n", "true"]) is not None:
        return ["sudo", "-n", apt_get, *_PATIENCE]
    return None
