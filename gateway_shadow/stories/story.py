"""One call's whole story as a document: what came in, whose it is, what every rule said, what became of it, and which
check it settles. Pure: what was found in, one document out."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from spendgate.ledger.event_documents import instant_text, place_document
from spendgate.ledger.event_rows import Place
from spendgate.model.check import Check
from spendgate.model.decision import Decision, Reason
from spendgate.model.event import OWNER_FIELDS, Event
from spendgate.model.words import explain

_EVIDENCE = {
    None: "nothing was said of evidence",
    "present": "there is evidence",
    "missing": "evidence is missing",
    "failed": "taking evidence has failed",
    "not_applicable": "no evidence is asked for",
}
_MAY_COME_LATER = ("outcome", "evidence_status", "evidence_id", "cost_nano_usd")


class Recorded(NamedTuple):
    """What the ledger has of a call: where it stands, how often it was repeated, its decision, its annotations in the
    order of the log, and the check that it settles."""

    place: Place
    call: Event
    repeats: int
    decision: Decision | None
    annotations: Sequence[tuple[Place, Event]]
    check: Check | None


def story(found: Recorded) -> dict[str, Any]:
    """The document, but for what needs the policies: rules and neighbours."""
    call, latest = found.call, _latest(found.annotations)
    known = [name for name in OWNER_FIELDS if getattr(call, name) is not None]
    missing = [name for name in OWNER_FIELDS if name not in known]
    return {
        "event": _said(call),
        "received_at": instant_text(found.place.received_at),
        "position": place_document(found.place),
        "repeats": found.repeats,
        "attribution": {"known": known, "missing": missing, "of": len(OWNER_FIELDS)},
        "decision": None if found.decision is None else _decision(found.decision),
        "evidence_status": latest.get("evidence_status", call.evidence_status),
        "evidence": _evidence(call, latest),
        "outcome": latest.get("outcome", call.outcome),
        "cost_nano_usd": latest.get("cost_nano_usd", call.cost_nano_usd),
        "check": _check(call, found.check),
        "annotations": [{"received_at": instant_text(at.received_at), **_said(each)} for at, each in found.annotations],
    }


def _latest(annotations: Sequence[tuple[Place, Event]]) -> dict[str, Any]:
    return {
        name: value
        for _, each in annotations
        for name in _MAY_COME_LATER
        if (value := getattr(each, name)) is not None
    }  # fmt: skip


def _evidence(call: Event, latest: dict[str, Any]) -> dict[str, Any]:
    """Whether there is evidence of the call, by the latest that was said of it, and in words."""
    status, id_ = (latest.get(name, getattr(call, name)) for name in ("evidence_status", "evidence_id"))
    return {"status": status, "id": id_, "came_later": "evidence_status" in latest, "words": _EVIDENCE[status]}


def _said(event: Event) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(event)
    return {name: value for name, value in found.items() if value is not None}


def _decision(decision: Decision) -> dict[str, Any]:
    """A decision, with every reason in words; rules that are not listed have approved."""
    found: dict[str, Any] = msgspec.to_builtins(decision)
    found["reasons"] = _reasons(decision.reasons, decision.cost_nano_usd)
    found["approved_unlisted"] = decision.judged.rules - len(decision.reasons)
    return found


def _reasons(reasons: Sequence[Reason], cost_nano_usd: int | None) -> list[dict[str, Any]]:
    return [{**msgspec.to_builtins(each), "words": explain(each, cost_nano_usd)} for each in reasons]


def _check(call: Event, check: Check | None) -> dict[str, Any] | None:
    """What was said beforehand, and by how much the estimate was wrong; None for a call that names no check."""
    if call.check_id is None:
        return None
    if check is None:
        words = "the ledger has no check of this id: it is not recorded yet, or was never made here"
        return {"check_id": call.check_id, "found": False, "words": words}
    found = {name: value for name, value in msgspec.to_builtins(check).items() if name not in ("tenant", "asked_by")}
    estimate, cost = check.estimate_nano_usd, call.cost_nano_usd
    over = None if estimate is None or cost is None else cost - estimate
    return {
        **found, "found": True, "reasons": _reasons(check.reasons, estimate), "cost_over_estimate_nano_usd": over,
        "words": _check_words(check),
    }  # fmt: skip


def _check_words(check: Check) -> str:
    answered = "allowed" if check.allow else f"refused by what is enforced ({check.blocked})"
    if check.would_be is None:
        return f"{answered}, without a verdict ({check.fault})"
    return f"{answered}; the policies would have said {check.would_be}"
