"""The version and the changelog: one says what the other does."""

import re

from dev.places import CHECKOUT
from dev.release.outcome import Outcome, ask
from spendgate import __version__

_SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
_HEADING = re.compile(r"^## \[(?P<name>[^\]]+)\](?: - (?P<date>\d{4}-\d{2}-\d{2}))?\s*$", re.MULTILINE)
_COMING = re.compile(r"What will be (\S+)\.")


def check() -> Outcome:
    """The checkout's own."""
    tag = ask("git", "describe", "--tags", "--exact-match", "HEAD")
    changelog = (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8")
    faults = agreed(__version__, changelog, tag.text.strip() if tag.code == 0 else None)
    return Outcome.of(faults, f"{__version__}, {'tagged' if tag.code == 0 else 'not tagged'}")


def agreed(version: str, changelog: str, tag: str | None) -> list[str]:
    """What is wrong. ``tag`` is the commit's own: then the version must be dated in the changelog; without one it may
    also be announced under Unreleased (``What will be X.``)."""
    if not _SEMVER.fullmatch(version):
        return [f"version {version}: expected a semantic version"]
    if tag is not None and tag != f"v{version}":
        return [f"tag {tag}: expected v{version}, the version of the package"]
    dated = {each["name"] for each in _HEADING.finditer(changelog) if each["date"]}
    coming = set(_COMING.findall(changelog.partition("## [Unreleased]")[2].partition("\n## ")[0]))
    if version in dated or (tag is None and version in coming):
        return []
    return [
        f"CHANGELOG.md: expected a heading `## [{version}] - YYYY-MM-DD`, or `What will be {version}.` before the tag"
    ]
