"""Licences of all that runs with the product: no GPL, AGPL or LGPL; MPL is listed; an unknown one fails."""

import re
from collections.abc import Iterable
from email.message import Message
from importlib.metadata import Distribution, distribution
from typing import cast

from dev.release.outcome import Outcome
from dev.release.prune import needed

PRODUCT = "spendgate[services]"
REVIEWED: dict[str, str] = {}
"""Distributions whose metadata names no licence: what a person has read, and where. Empty is best."""
_REFUSED = re.compile(r"\b[AL]?GPL|GNU (Affero|Lesser|General|Library)", re.IGNORECASE)
_LISTED = re.compile(r"\bMPL|Mozilla Public", re.IGNORECASE)
_KNOWN = re.compile(
    r"\bMIT|\bApache|\bBSD|\b0BSD|\bISC\b|\bPSF|Python Software Foundation|\bZlib|\bCC0|\bUnlicense|CNRI|Repoze",
    re.IGNORECASE,
)
_LONGEST = 100


def said(of: Distribution) -> str:
    """What a distribution says its licence is: the SPDX expression, else classifiers and the first line of the text."""
    fields = cast("Message", of.metadata)
    if expression := fields.get("License-Expression"):
        return str(expression)
    classified = [each.rpartition("::")[2].strip() for each in fields.get_all("Classifier") or () if "License" in each]
    text = str(fields.get("License") or "").strip().partition("\n")[0][:_LONGEST]
    return ", ".join([*classified, text] if text else classified)


def kind(licence: str) -> str:
    """``refused``, ``listed``, ``fine`` or ``unknown``; of a choice (``OR``) the best counts, else the worst."""
    if re.search(r"\bOR\b", licence):
        kinds = [kind(each) for each in re.split(r"\bOR\b", licence)]
        return min(kinds, key=("fine", "listed", "refused", "unknown").index)
    if _REFUSED.search(licence):
        return "refused"
    if _LISTED.search(licence):
        return "listed"
    return "fine" if _KNOWN.search(licence) else "unknown"


def check(product: str = PRODUCT) -> Outcome:
    """The licences of ``product`` and of all that it needs, as installed here."""
    names = sorted(needed(product))
    return judged({name: said(distribution(name)) for name in names})


def judged(licences: dict[str, str]) -> Outcome:
    """The outcome for distributions by name."""
    by_kind: dict[str, list[str]] = {"refused": [], "listed": [], "fine": [], "unknown": []}
    for name, licence in licences.items():
        found = kind(licence)
        by_kind["fine" if found == "unknown" and name in REVIEWED else found].append(
            f"{name} ({licence or 'says none'})"
        )
    faults = [*_told("not allowed at run time", by_kind["refused"]), *_told("unknown licence", by_kind["unknown"])]
    return Outcome.of(faults, f"{len(licences)} distributions; MPL: {', '.join(by_kind['listed']) or 'none'}")


def _told(what: str, names: Iterable[str]) -> list[str]:
    return [f"{what}: {name}" for name in names]
