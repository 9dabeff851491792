"""Privacy settings as the fields of a form, and back. Pure.

A field is named by its place in the API's document, ``settings.scopes.0.scope.team``, so an error stands at its field.
"""

import re
from collections.abc import Mapping
from typing import Any

from gateway_shadow.pages.forms import items_of, whole
from spendgate.model.event import SCOPE_FIELDS, PrivacyMode
from spendgate.model.privacy import DEFAULT, MODES
from spendgate.model.privacy_settings import MAX_SCOPES, PrivacySettings

__all__ = ["MODES", "SCOPE_FIELDS"]
WORDS: Mapping[PrivacyMode, str] = {
    "private_gateway": "only what the tenant's own gateway has signed; no content",
    "metadata_only": "who, what, how much, what it cost; no content",
    "fingerprint_only": "that, and fingerprints that tell repeats; no content",
    "redacted_trace": "that, and content with what identifies people taken out",
    "full_trace": "everything, content as it is",
}
"""What is kept of a call in each mode, from the tightest to the widest."""
_MODE_AT = re.compile(r"settings\.scopes\.([0-9]{1,3})\.mode", re.ASCII)


def said_of(settings: PrivacySettings) -> dict[str, str]:
    """Settings as their form shows them."""
    said = {"settings.mode": settings.mode, "settings.retention_days": str(settings.retention_days)}
    for number, each in enumerate(settings.scopes):
        at = f"settings.scopes.{number}"
        said[f"{at}.mode"] = each.mode
        for name, values in _lists(each.scope.model_dump(exclude_none=True)).items():
            said[f"{at}.scope.{name}"] = ", ".join(values)
    return said


def settings_of(said: Mapping[str, str]) -> dict[str, Any]:
    """What a form says, for the API's document."""
    scopes = [
        {"mode": said[f"settings.scopes.{number}.mode"], "scope": _scope_of(said, number)}
        for number in scopes_of(said)
    ]  # fmt: skip
    return {
        "mode": said.get("settings.mode", ""), "scopes": scopes,
        "retention_days": whole(said.get("settings.retention_days", "")),
    }  # fmt: skip


def scopes_of(said: Mapping[str, str]) -> list[int]:
    """The numbers of a form's scopes, in order."""
    return sorted(int(found[1]) for name in said if (found := _MODE_AT.fullmatch(name)))


def names_of(said: Mapping[str, str]) -> list[str]:
    """The names of all fields that a form has, filled in or not. Scopes are numbered anew: an error counts them so."""
    places = [f"settings.scopes.{number}" for number in range(len(scopes_of(said)))]
    fields = [*SCOPE_FIELDS, *(f"exclude.{each}" for each in SCOPE_FIELDS)]
    inside = [f"{at}.{name}" for at in places for name in ("mode", *(f"scope.{each}" for each in fields))]
    return ["settings.mode", "settings.retention_days", *inside]


def with_scopes(said: Mapping[str, str], act: str, which: str) -> dict[str, str]:
    """The form with a scope more at its end, or without one; what is left is numbered from 0."""
    kept = [number for number in scopes_of(said) if act != "remove" or str(number) != which]
    made = {name: value for name, value in said.items() if not name.startswith("settings.scopes.")}
    for new, old in enumerate(kept):
        made |= _moved(said, f"settings.scopes.{old}.", f"settings.scopes.{new}.")
    if act == "add" and len(kept) < MAX_SCOPES:
        made[f"settings.scopes.{len(kept)}.mode"] = DEFAULT
    return made


def _moved(said: Mapping[str, str], old: str, new: str) -> dict[str, str]:
    return {new + name.removeprefix(old): value for name, value in said.items() if name.startswith(old)}


def _scope_of(said: Mapping[str, str], number: int) -> dict[str, Any]:
    at = f"settings.scopes.{number}.scope"
    wanted = {name: items_of(said.get(f"{at}.{name}")) for name in SCOPE_FIELDS}
    but = {name: items_of(said.get(f"{at}.exclude.{name}")) for name in SCOPE_FIELDS}
    exclude = {name: values for name, values in but.items() if values}
    found: dict[str, Any] = {name: values for name, values in wanted.items() if values}
    return found | ({"exclude": exclude} if exclude else {})


def _lists(scope: Mapping[str, Any]) -> dict[str, list[str]]:
    found = {name: values for name, values in scope.items() if name != "exclude"}
    return found | {f"exclude.{name}": values for name, values in scope.get("exclude", {}).items()}
