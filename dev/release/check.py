"""``make release-check``: every step, in an order in which each can use what the one before it made.

Exit codes: 0 no step failed (one that could not be run says why), 1 one failed, 3 the tools are not installed.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from dev.release import image, licences, manifests, materials, packages, versions
from dev.release.outcome import TOOLS, Outcome

Step = tuple[str, Callable[[], Outcome]]


def steps(work: Path) -> Iterator[Step]:
    """Name and action; the environment is made once, rehearses the image, and is then cut down to the wheel's."""
    environment = work / "environment"
    yield "version and changelog", versions.check
    yield "licences at run time", licences.check
    yield "Dockerfile", image.linted
    yield "compose file", image.composed
    yield "Kubernetes manifests", manifests.validated
    yield "kustomization", manifests.kustomized
    yield "wheel and source archive", packages.build
    yield "clean environment", lambda: packages.clean_environment(environment)
    yield "image, rehearsed", lambda: image.rehearsed(environment, work)
    yield "bill of materials", lambda: materials.listed(environment)
    yield "wheel alone", lambda: packages.wheel_alone(environment, work)
    yield "known vulnerabilities", materials.audited


def main() -> int:
    """Run them all and say what each found."""
    if not TOOLS.is_dir():
        sys.stderr.write("release-check: the tools are not installed; use `make release-check`\n")
        return 3
    with tempfile.TemporaryDirectory(prefix="spendgate-release-") as folder:
        outcomes = [_told(name, action()) for name, action in steps(Path(folder).resolve())]
    counts = {state: sum(each.state == state for each in outcomes) for state in ("passed", "failed", "not run")}
    sys.stdout.write(", ".join(f"{count} {state}" for state, count in counts.items()) + "\n")
    return 1 if counts["failed"] else 0


def _told(name: str, outcome: Outcome) -> Outcome:
    first, *rest = outcome.words or ("",)
    sys.stdout.write(f"{outcome.state:8} {name:26} {first}\n" + "".join(f"{'':36}{each}\n" for each in rest))
    sys.stdout.flush()
    return outcome


if __name__ == "__main__":
    sys.exit(main())
