"""What a report of a simulation says: sums, accepted work that would be lost, the sweep as curves, the breaches on a
calendar, who is hit. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from gateway_shadow.pages.words import count, usd
from spendgate.model.decision import VERDICTS
from spendgate.model.money import parse_usd

MOST_OWNERS = 8
MOST_DAYS = 400


class Sums(NamedTuple):
    """Of one verdict."""

    verdict: str
    calls: int
    nano_usd: int


class Lost(NamedTuple):
    """Calls with an accepted result that would have been denied; ``of_calls``: all with an accepted result."""

    calls: int
    nano_usd: int
    of_calls: int


class Point(NamedTuple):
    """A cap of the sweep. ``x``, and the heights of both curves, each against its own highest: in thousandths;
    ``is_now``: the policy's own cap, or the nearest to it; ``words``: the cap and what it would have done."""

    cap_usd: str
    cap_nano_usd: int
    denied_nano_usd: int
    denied_calls: int
    lost_accepted: int
    owners_hit: int
    x: int
    denied_y: int
    lost_y: int
    is_now: bool
    words: str


class CalendarDay(NamedTuple):
    """``level``: 0 nothing denied, to 4; ``column`` is its week, ``row`` its weekday from Monday."""

    day: date
    calls: int
    denied: int
    denied_nano_usd: int
    level: int
    column: int
    row: int


class Owner(NamedTuple):
    """Who would have been denied."""

    field: str
    value: str
    denied: int
    denied_nano_usd: int
    spent_nano_usd: int


class SimulationView(NamedTuple):
    """All of it. ``first``, ``last``: of the history, RFC 3339, None where it holds no call. ``lost``: None where no
    call's result is known to be accepted."""

    first: str | None
    last: str | None
    rows: int
    verdicts: list[Sums]
    lost: Lost | None
    points: list[Point]
    days: list[CalendarDay]
    owners: list[Owner]
    suggestion: Mapping[str, Any] | None

    @property
    def denied(self) -> Sums:
        """What would have been denied."""
        return next(each for each in self.verdicts if each.verdict == "deny")

    @property
    def spent_nano_usd(self) -> int:
        """What all calls that were looked at have cost."""
        return sum(each.nano_usd for each in self.verdicts)

    @property
    def weeks(self) -> int:
        """Columns of the calendar."""
        return max((each.column for each in self.days), default=0) + 1


def simulation_view(report: Mapping[str, Any], cap_nano_usd: int | None = None) -> SimulationView:
    """``cap_nano_usd``: of the budget that was swept."""
    history, closed = report["history"], report["verdicts"]["closed"]
    lost = _lost(report["outcomes"])
    return SimulationView(
        history["from"], history["to"], report["source"]["rows"],
        [Sums(each, closed[each]["calls"], closed[each]["cost_nano_usd"]) for each in VERDICTS],
        lost, _points(report.get("sweep"), cap_nano_usd, tells_lost=lost is not None), calendar(report["days"]),
        owners_hit(report["owners"]), report.get("suggest"),
    )  # fmt: skip


def _lost(outcomes: Mapping[str, Any]) -> Lost | None:
    accepted, denied = outcomes["all"]["accepted"]["calls"], outcomes["denied"]["accepted"]
    return Lost(denied["calls"], denied["cost_nano_usd"], accepted) if accepted else None


def _points(sweep: Mapping[str, Any] | None, cap_nano_usd: int | None, *, tells_lost: bool) -> list[Point]:
    if sweep is None or sweep["what"] != "cap_usd" or not sweep["points"]:
        return []
    caps = [parse_usd(each["value"]) for each in sweep["points"]]
    denied, lost = ([each[name] for each in sweep["points"]] for name in ("denied_nano_usd", "lost_accepted"))
    most = _Most(*(max(found) or 1 for found in (caps, denied, lost)))
    now = min(caps, key=lambda cap: abs(cap - (cap_nano_usd or 0)))
    return [
        _point(cap, each, most, is_now=cap_nano_usd is not None and cap == now, tells_lost=tells_lost)
        for cap, each in zip(caps, sweep["points"], strict=True)
    ]


class _Most(NamedTuple):
    """The highest of a sweep, at least 1."""

    cap_nano_usd: int
    denied_nano_usd: int
    lost_accepted: int


def _point(cap: int, each: Mapping[str, Any], most: _Most, *, is_now: bool, tells_lost: bool) -> Point:
    words = f"${each['value']}: {usd(each['denied_nano_usd'])} denied"
    words += f", {count(each['lost_accepted'])} accepted results lost" if tells_lost else ""
    return Point(
        each["value"], cap, each["denied_nano_usd"], each["denied_calls"], each["lost_accepted"], each["owners_hit"],
        1000 * cap // most.cap_nano_usd, 1000 * each["denied_nano_usd"] // most.denied_nano_usd,
        1000 * each["lost_accepted"] // most.lost_accepted, is_now, words,
    )  # fmt: skip


def calendar(days: Sequence[Mapping[str, Any]]) -> list[CalendarDay]:
    """Every day from the first to the last, those without a call too."""
    known = {date.fromisoformat(each["day"]): each for each in days[-MOST_DAYS:]}
    if not known:
        return []
    first, highest = min(known), max(each["deny"]["cost_nano_usd"] for each in known.values()) or 1
    monday = first - timedelta(days=first.weekday())
    found = []
    for back in range((max(known) - first).days + 1):
        day = first + timedelta(days=back)
        said = known.get(day)
        denied = 0 if said is None else said["deny"]["cost_nano_usd"]
        found.append(CalendarDay(
            day, 0 if said is None else sum(said[each]["calls"] for each in VERDICTS),
            0 if said is None else said["deny"]["calls"], denied, -(-4 * denied // highest),
            (day - monday).days // 7, day.weekday(),
        ))  # fmt: skip
    return found


def owners_hit(owners: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Owner]:
    """Those of whom most would have been denied, of all fields together."""
    found = [
        Owner(field, each["value"] or "(none)", each["closed"]["deny"]["calls"],
              each["closed"]["deny"]["cost_nano_usd"], each["cost_nano_usd"])
        for field, rows in owners.items() for each in rows if each["closed"]["deny"]["calls"]
    ]  # fmt: skip
    return sorted(found, key=lambda each: (-each.denied_nano_usd, each.field, each.value))[:MOST_OWNERS]


class Change(NamedTuple):
    """Calls whose verdict is another one under the other version."""

    before: str
    after: str
    calls: int
    nano_usd: int


def compared(section: Mapping[str, Any] | None) -> list[Change] | None:
    """From what to what verdicts change, most calls first; None where nothing was compared."""
    if section is None:
        return None
    found = [Change(each["from"], each["to"], each["calls"], each["cost_nano_usd"]) for each in section["changed"]]
    return sorted(found, key=lambda each: -each.calls)
