"""What a row of decisions says, and a call's whole story. Pure."""

from collections.abc import Mapping
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


def dots(story: Mapping[str, Any]) -> tuple[list[Dot], datetime, datetime] | None:
    """A call and those beside it in its window, on a line by time, with its ends; None where there are none."""
    beside, decision = story["neighbours"], story["decision"]
    if beside is None or decision is None:
        return None
    it = {**story["event"], "verdict": decision["verdict"]}
    calls = [(each, each is it, instant_of(each["time"])) for each in (*beside["before"], it, *beside["after"])]
    times = [at for _, _, at in calls if at is not None]
    if len(times) < 2:
        return None
    first, last = min(times), max(times)
    length = max(last - first, timedelta(milliseconds=1))
    found = [
        Dot(int(1000 * ((at - first) / length)), str(each["verdict"]), f"{each['id']}: {each['verdict']}",
            is_it, (each["source"], each["id"]))
        for each, is_it, at in calls if at is not None
    ]  # fmt: skip
    return sorted(found, key=lambda dot: (dot.is_it, dot.x)), first, last
