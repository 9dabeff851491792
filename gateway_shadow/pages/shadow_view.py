"""What a row of decisions says, and a call's whole story. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from gateway_shadow.pages.words import instant_of
from spendgate.model.event import OWNER_FIELDS

WORST = {"deny": 3, "review": 2, "warn": 1, "approve": 0}
SHOWN_FIRST = ("id", "source", "time", "kind", "vendor", "model_requested", "model", "input_tokens", "output_tokens")


class Row(NamedTuple):
    """A decision in the list."""

    event_time: str
    verdict: str
    source: str
    event_id: str
    cost_nano_usd: int | None
    words: str
    marks: tuple[str, ...]


class Owner(NamedTuple):
    """One of the six by which it is known whose a call is."""

    name: str
    value: str | None


class Dot(NamedTuple):
    """A call on the timeline: from 0 to 1,000."""

    x: int
    verdict: str
    words: str
    is_it: bool
    address: tuple[str, str]


def row(decision: Mapping[str, Any]) -> Row:
    """A decision as the API tells it."""
    return Row(
        decision["event_time"], decision["verdict"], decision["source"], decision["event_id"],
        decision.get("cost_nano_usd"), said(decision), tuple(decision.get("marks", ())),
    )  # fmt: skip


def said(decision: Mapping[str, Any]) -> str:
    """Which policies said what, the worst first; approvals only where nothing else was said."""
    reasons = sorted(decision.get("reasons", ()), key=lambda each: -WORST[each["verdict"]])
    loud = [each for each in reasons if each["verdict"] != "approve"] or reasons[:1]
    if not loud:
        return "no policy looks at it" if not decision["judged"]["rules"] else "all rules approve"
    told = dict.fromkeys(f"{each['policy']}: {each['code'].replace('_', ' ')}" for each in loud)
    return "; ".join(told)


def owners(story: Mapping[str, Any]) -> list[Owner]:
    """The six, known or not."""
    return [Owner(name.replace("_", " "), story["event"].get(name)) for name in OWNER_FIELDS]


def details(event: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """What else came in, what matters most first."""
    order = {name: number for number, name in enumerate(SHOWN_FIRST)}
    rest = [name for name in event if name not in (*OWNER_FIELDS, "tenant")]
    return [(name, event[name]) for name in sorted(rest, key=lambda name: (order.get(name, 99), name))]


def by_policy(decision: Mapping[str, Any] | None) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Reasons by policy, the worst first."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for each in (decision or {}).get("reasons", ()):
        found.setdefault(each["policy"], []).append(each)
    return sorted(found.items(), key=lambda item: -max(WORST[each["verdict"]] for each in item[1]))


def dots(neighbours: Sequence[Mapping[str, Any]], it: Mapping[str, Any]) -> tuple[list[Dot], datetime, datetime] | None:
    """Decisions near one in time, on a line, with its ends; None where there is nothing beside it."""
    calls = {(each["source"], each["event_id"]): each for each in (*neighbours, it)}
    times = {key: instant_of(each["event_time"]) for key, each in calls.items()}
    known = [at for at in times.values() if at is not None]
    if len(known) < 2:
        return None
    first, last = min(known), max(known)
    length = max(last - first, timedelta(milliseconds=1))
    found = [
        Dot(int(1000 * ((at - first) / length)), each["verdict"], f"{key[1]}: {each['verdict']}",
            key == (it["source"], it["event_id"]), key)
        for key, each in calls.items() if (at := times[key]) is not None
    ]  # fmt: skip
    return sorted(found, key=lambda dot: (dot.is_it, dot.x)), first, last
