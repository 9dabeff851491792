"""What the pages of alerts say, and what their forms have said. Pure."""

from collections.abc import Mapping
from typing import Any, get_args

from gateway_shadow.alerting.documents import DeliveryDocument, TargetDocument, Trial
from gateway_shadow.pages.forms import items_of, or_none, whole
from policy_store.alert_targets import TargetKind
from spendgate.model.alert import AlertKind

KINDS: dict[AlertKind, str] = {
    "threshold": "a threshold of a budget is reached", "cap": "a budget is over its cap",
    "enforcement_demoted": "a policy that was enforced is back in shadow",
    "gate_lost": "what had proven a policy no longer holds",
}  # fmt: skip
TARGET_KINDS: tuple[TargetKind, ...] = get_args(TargetKind)

FIELDS = ("name", "kind", "url", "policies", "kinds", "from_percent")


def wanted_of(form: Mapping[str, str]) -> dict[str, Any]:
    """What a form says of a target, for the API's documents; ``url`` is None where nothing was typed."""
    return {
        "url": or_none(form.get("url")), "policies": items_of(form.get("policies")),
        "kinds": [kind for kind in KINDS if form.get(f"kinds.{kind}") == "yes"],
        "from_percent": whole(form.get("from_percent", "")),
    }  # fmt: skip


def said_of(found: TargetDocument) -> dict[str, str]:
    """A target as its form shows it; never its address, of which only the origin is told."""
    kinds = {f"kinds.{kind}": "yes" for kind in found.kinds}
    return {
        "policies": ", ".join(found.policies), "from_percent": str(found.from_percent),
        "enabled": "yes" if found.enabled else "", **kinds,
    }  # fmt: skip


def delivery_words(found: DeliveryDocument) -> str:
    """What became of an alert on its way to one target."""
    answer = f", answered {found.status}" if found.status is not None else ""
    attempts = f"{found.attempts} attempt{'' if found.attempts == 1 else 's'}"
    why = f": {found.problem}" if found.problem else ""
    return f"{attempts}{answer}{why}"


def trial_words(found: Trial) -> str:
    """What came of a test."""
    answer = f"answered {found.status} " if found.status is not None else ""
    if found.delivered:
        return f"The test was delivered: {answer}within {found.took_ms:,} ms."
    return f"The test was not delivered: {answer}after {found.took_ms:,} ms. {found.problem or ''}".strip()


def where_words(found: TargetDocument) -> str:
    """Which alerts a target gets."""
    kinds = " or ".join(KINDS[kind] for kind in KINDS if kind in found.kinds) or "anything happens"
    policies = f", of policies {', '.join(found.policies)}" if found.policies else ""
    percent = f"; thresholds from {found.from_percent} % on" if found.from_percent > 1 else ""
    return f"when {kinds}{policies}{percent}"
