"""Uninstall what a distribution does not need at run time: ``python prune.py 'spendgate[services]'``.

The image installs the whole lock, whose hashes belong together, and then lets this take the tools of development out
again. It uses nothing of the checkout, so the image copies this file alone.
"""

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distributions, requires

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

KEPT = frozenset({canonicalize_name("pip")})


def needed(root: str) -> set[NormalizedName]:
    """The distributions that ``root`` (a name, with extras in brackets) needs here and now, itself included.

    Raises PackageNotFoundError if one that is needed is not installed.
    """
    found: set[NormalizedName] = set()
    seen: set[tuple[NormalizedName, str]] = set()
    waiting = [Requirement(root)]
    while waiting:
        for name, extra in _faces(waiting.pop()):
            if (name, extra) not in seen:
                seen.add((name, extra))
                found.add(name)
                waiting.extend(_required(name, extra))
    return found


def _faces(requirement: Requirement) -> Iterator[tuple[NormalizedName, str]]:
    name = canonicalize_name(requirement.name)
    yield from ((name, extra) for extra in ("", *requirement.extras))


def _required(name: NormalizedName, extra: str) -> Iterator[Requirement]:
    for each in map(Requirement, requires(name) or ()):
        if each.marker is None or each.marker.evaluate({"extra": extra}):
            yield each


def main(root: str) -> int:
    """Uninstall the rest; returns an exit code."""
    try:
        keep = needed(root) | KEPT
    except PackageNotFoundError as error:
        sys.stderr.write(f"prune: {error.name} is needed and not installed\n")
        return 3
    rest = sorted({canonicalize_name(each.metadata["Name"]) for each in distributions()} - keep)
    if not rest:
        return 0
    return subprocess.run([sys.executable, "-m", "pip", "uninstall", "--quiet", "--yes", *rest], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
