"""deploy/: every manifest against the JSON schema of Kubernetes, offline."""

from dev.places import CHECKOUT
from dev.release.outcome import TOOLS, Outcome, ask

DEPLOY = CHECKOUT / "deploy"
OLDEST, NEWEST = "1.29", "1.37"
"""The versions of Kubernetes whose schemas are tried."""


def validated() -> Outcome:
    """kubernetes-validate, strictly (an unknown field is an error), for the oldest and the newest version."""
    files = sorted(each for each in DEPLOY.rglob("*.yaml") if each.name != "kustomization.yaml")
    faults = []
    for version in (OLDEST, NEWEST):
        found = ask(TOOLS / "kubernetes-validate", "--strict", "--quiet", "-k", version, *files)
        faults += [f"{version}: {line}" for line in found.text.splitlines()] if found.code else []
    return Outcome.of(faults, f"{len(files)} files, Kubernetes {OLDEST} and {NEWEST}")


def kustomized() -> Outcome:
    """``kubectl kustomize``, where there is a kubectl, puts them together; it needs no cluster."""
    if ask("kubectl", "version", "--client").code:
        return Outcome("not run", ("no kubectl here; tests/dev/test_deploy.py has read the files",))
    built = ask("kubectl", "kustomize", DEPLOY)
    return Outcome.of([built.last] if built.code else [], f"{built.text.count('kind: ')} objects")
