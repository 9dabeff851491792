"""What the product is made of: a bill of materials (CycloneDX), and what is known against its parts."""

import json
from pathlib import Path

from dev.places import CHECKOUT
from dev.release.outcome import OUT, TOOLS, Outcome, ask
from spendgate import __version__

BILL = OUT / f"spendgate-{__version__}.cdx.json"
_SERVICES = ("pypi", "osv")


def listed(environment: Path) -> Outcome:
    """The bill of materials of an environment that holds the product at run time; validated as it is written."""
    OUT.mkdir(exist_ok=True)
    done = ask(
        TOOLS / "cyclonedx-py", "environment", "--pyproject", CHECKOUT / "pyproject.toml", "--output-reproducible",
        "--output-format", "JSON", "--output-file", BILL, environment / "bin" / "python",
    )  # fmt: skip
    if done.code:
        return Outcome("failed", (f"cyclonedx-py: {done.last}",))
    bill = json.loads(BILL.read_text(encoding="utf-8"))
    parts = bill.get("components", ())
    nameless = [each["name"] for each in parts if not each.get("version")]
    return Outcome.of(
        [f"{name} has no version in {BILL.name}" for name in nameless],
        f"{BILL.relative_to(CHECKOUT)}: {bill['bomFormat']} {bill['specVersion']}, {len(parts)} components",
    )


def audited() -> Outcome:
    """pip-audit over the lock, by the first advisory service that answers for every distribution; else not run."""
    why: list[str] = []
    for service in _SERVICES:
        outcome = _asked(service)
        if outcome.state != "not run":
            return outcome
        why.extend(outcome.words)
    return Outcome("not run", tuple(why))


def _asked(service: str) -> Outcome:
    done = ask(
        TOOLS / "pip-audit", "--requirement", CHECKOUT / "requirements.lock", "--disable-pip", "--no-deps", "--format",
        "json", "--progress-spinner", "off", "--vulnerability-service", service, "--timeout", "15",
    )  # fmt: skip
    found = [line for line in done.text.splitlines() if line.startswith("{")]
    if not found:
        return Outcome("not run", (f"{service}: no answer ({done.last[:120]})",))
    return told(service, json.loads(found[-1])["dependencies"])


def told(service: str, parts: list[dict[str, object]]) -> Outcome:
    """The outcome of what pip-audit said: nothing is passed over which the service did not know."""
    known = [f"{each['name']} {each['version']}: {', '.join(_ids(each))}" for each in parts if each.get("vulns")]
    if known:
        return Outcome("failed", tuple(known))
    skipped = [each for each in parts if "skip_reason" in each]
    if skipped or not parts:
        return Outcome("not run", (f"{service}: {len(skipped)} of {len(parts)} distributions could not be looked up",))
    return Outcome("passed", (f"{service}: nothing known against {len(parts)} distributions",))


def _ids(part: dict[str, object]) -> list[str]:
    vulnerabilities = part["vulns"]
    assert isinstance(vulnerabilities, list)
    return [str(each["id"]) for each in vulnerabilities]
