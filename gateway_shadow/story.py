"""One call's whole story, as far as the ledger knows it: what came in, whose it is, what every rule said, and what
became of it. Pure: rows in, one document out."""

from collections.abc import Sequence
from typing import Any

import msgspec

from spendgate.model.decision import Decision, Reason
from spendgate.model.event import OWNER_FIELDS, Event
from spendgate.model.words import explain


def story(
    call: Event, received_at: Any, repeats: int, decisions: Sequence[Decision], annotations: Sequence[tuple[Any, Event]]
) -> dict[str, Any]:
    """``decisions``: of this call, the same one perhaps published again. ``annotations``: in the order of the log, each
    with when it was received."""
    known = [name for name in OWNER_FIELDS if getattr(call, name) is not None]
    latest = {
        name: value
        for _, each in annotations
        for name in ("outcome", "evidence_status", "evidence_id", "cost_nano_usd")
        if (value := getattr(each, name)) is not None
    }
    return {
        "event": _said(call),
        "received_at": received_at,
        "repeats": repeats,
        "attribution": {
            "known": known,
            "missing": [name for name in OWNER_FIELDS if name not in known],
            "of": len(OWNER_FIELDS),
        },
        "decision": _decision(decisions[0]) if decisions else None,
        "evidence_status": latest.get("evidence_status", call.evidence_status),
        "outcome": latest.get("outcome", call.outcome),
        "cost_nano_usd": latest.get("cost_nano_usd", call.cost_nano_usd),
        "annotations": [{"received_at": at, **_said(each)} for at, each in annotations],
    }


def _said(event: Event) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(event)
    return {name: value for name, value in found.items() if value is not None}


def _decision(decision: Decision) -> dict[str, Any]:
    """A decision, with every reason in words; rules that are not listed have approved."""
    found: dict[str, Any] = msgspec.to_builtins(decision)
    found["reasons"] = [_reason(each) for each in decision.reasons]
    found["approved_unlisted"] = decision.judged.rules - len(decision.reasons)
    return found


def _reason(reason: Reason) -> dict[str, Any]:
    return {**msgspec.to_builtins(reason), "words": explain(reason)}
