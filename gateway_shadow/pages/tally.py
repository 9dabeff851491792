"""What the overview counts of a tenant's decisions: sums by day, and each counter as the last call has left it.

Rows come in the order of the log, piece by piece, so a tally goes on where it ended, and a million decisions are read
once. A decision that was published again (its call stands no further in the log than one before it) is passed over.
"""

from collections import Counter as Numbers
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

COLUMNS = (
    "topic_id", "partition", "offset", "index", "position_offset", "position_index", "event_time", "decided_at",
    "verdict", "cost_nano_usd", *(f"reasons.{name}" for name in (
        "policy", "staging", "rule", "counter", "window_start", "window_end", "limit_nano_usd", "used_before_nano_usd",
    )),
)  # fmt: skip
_ITEMS = 1 << 20
"""More calls than one message of the log holds."""
MOST_COUNTERS, MOST_DAYS = 5_000, 400
SAMPLES = 26
"""Sums of a counter that are kept, one an hour: its pace is that of a day."""


class Day(NamedTuple):
    """Of one UTC day: calls and nano-USD by verdict, and calls without a price."""

    calls: Numbers[str]
    nano_usd: Numbers[str]
    unpriced: int

    @property
    def spent_nano_usd(self) -> int:
        """What all its calls cost."""
        return sum(self.nano_usd.values())


class Key(NamedTuple):
    """A counter: one combination of a budget's ``per`` values."""

    policy: str
    staging: str
    rule: int
    counter: str


@dataclass
class Level:
    """A counter as its last call has left it. ``samples``: its sum by hour, for its pace."""

    limit_nano_usd: int
    used_nano_usd: int
    start: datetime | None
    end: datetime | None
    at: datetime
    samples: dict[datetime, int] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """How full it is."""
        return self.used_nano_usd / self.limit_nano_usd if self.limit_nano_usd else 1.0


@dataclass
class Tally:
    """Of one tenant. ``taken_at``: when the ledger was last read; ``since``: sums by hour are wanted from then on."""

    days: dict[date, Day] = field(default_factory=dict)
    levels: dict[Key, Level] = field(default_factory=dict)
    decisions: int = 0
    last_event: datetime | None = None
    last_decided: datetime | None = None
    taken_at: datetime | None = None
    since: datetime | None = None
    _topic: str = ""
    _latest: int = -1

    def add(self, rows: pa.Table) -> None:
        """The next rows in the order of the log."""
        fresh = rows.filter(pa.array(self._is_fresh(rows)))
        if not fresh.num_rows:
            return
        self.decisions += fresh.num_rows
        self.last_event = _latest(self.last_event, pc.max(fresh["event_time"]).as_py())
        self.last_decided = _latest(self.last_decided, pc.max(fresh["decided_at"]).as_py())
        self._add_days(fresh)
        self._add_levels(fresh)

    def copied(self) -> "Tally":
        """As it is now; what is added later does not show."""
        return replace(self, days=dict(self.days), levels=dict(self.levels))

    def _is_fresh(self, rows: pa.Table) -> Any:
        if not rows.num_rows:
            return np.zeros(0, np.bool_)
        topic = rows["topic_id"][0].as_py()
        if topic != self._topic:
            self._topic, self._latest = topic, -1
        places = rows["position_offset"].to_numpy() * _ITEMS + rows["position_index"].to_numpy()
        before = np.concatenate(([self._latest], np.maximum.accumulate(places)[:-1]))
        before = np.maximum(before, self._latest)
        self._latest = max(self._latest, int(places.max()))
        return places > before

    def _add_days(self, rows: pa.Table) -> None:
        summed = (
            pa.table({
                "day": pc.cast(pc.floor_temporal(rows["event_time"], unit="day"), pa.date32()),
                "verdict": rows["verdict"], "cost": rows["cost_nano_usd"],
            })
            .group_by(["day", "verdict"])
            .aggregate([("cost", "sum"), ("cost", "count"), ([], "count_all")])
        )  # fmt: skip
        for row in summed.to_pylist():
            day, verdict = self.days.get(row["day"], Day(Numbers(), Numbers(), 0)), row["verdict"]
            self.days[row["day"]] = Day(
                day.calls + Numbers({verdict: row["count_all"]}),
                day.nano_usd + Numbers({verdict: row["cost_sum"] or 0}),
                day.unpriced + row["count_all"] - row["cost_count"],
            )
        for old in sorted(self.days)[:-MOST_DAYS]:
            del self.days[old]

    def _add_levels(self, rows: pa.Table) -> None:
        for row in _last_of_each(rows, self.since).to_pylist():
            key = Key(row["policy"], row["staging"], row["rule"], row["counter"])
            level, at = self.levels.get(key), row["at_last"].astimezone(UTC)
            used, start = row["used_last"], _utc(row["start_last"])
            samples = dict(level.samples) if level is not None and level.start == start else {}
            if row["hour"] is not None:
                samples[row["hour"].astimezone(UTC)] = used
            kept = dict(sorted(samples.items())[-SAMPLES:])
            if level is None or at >= level.at:
                self.levels[key] = Level(row["limit_last"], used, start, _utc(row["end_last"]), at, kept)
        if len(self.levels) > MOST_COUNTERS:
            fullest = sorted(self.levels.items(), key=lambda each: -each[1].share)[:MOST_COUNTERS]
            self.levels = dict(fullest)


def _last_of_each(rows: pa.Table, since: datetime | None) -> pa.Table:
    """Of each counter and hour the last reason, and the sum that its call has left; what was before ``since`` is one
    hour, which is null."""
    reasons = _one(rows["reasons"])
    flat, whose = pc.list_flatten(reasons), pc.list_parent_indices(reasons)
    calls = rows.select(["event_time", "verdict", "cost_nano_usd"]).combine_chunks().take(whose)
    admitted = pc.if_else(pc.equal(calls["verdict"], "deny"), 0, pc.fill_null(calls["cost_nano_usd"], 0))
    named = {name: pc.struct_field(flat, name) for name in ("policy", "staging", "rule", "counter")}
    found = pa.table({
        **named, "hour": _hours(calls["event_time"], since), "at": calls["event_time"],
        "limit": pc.struct_field(flat, "limit_nano_usd"), "start": pc.struct_field(flat, "window_start"),
        "end": pc.struct_field(flat, "window_end"),
        "used": pc.add(pc.struct_field(flat, "used_before_nano_usd"), admitted),
    })  # fmt: skip
    budgets = found.filter(pc.and_(pc.is_valid(found["counter"]), pc.is_valid(found["used"])))
    wanted = [(name, "last") for name in ("at", "limit", "start", "end", "used")]
    return budgets.group_by([*named, "hour"], use_threads=False).aggregate(wanted)


def _hours(times: pa.ChunkedArray, since: datetime | None) -> pa.ChunkedArray:
    hours = pc.floor_temporal(times, unit="hour")
    if since is None:
        return hours
    is_late = pc.greater_equal(times, pa.scalar(since, times.type))
    return pc.if_else(is_late, hours, pa.scalar(None, hours.type))


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _latest(known: datetime | None, found: datetime) -> datetime:
    at = found.astimezone(UTC)
    return at if known is None or at > known else known


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)


def pace_nano_usd_an_hour(level: Level, now: datetime) -> float | None:
    """How fast a counter fills: by its sums of the last day within the window that it is in; None where that cannot be
    told yet."""
    since = now - timedelta(hours=24)
    samples = [(at, used) for at, used in sorted(level.samples.items()) if at >= since]
    if not samples:
        return 0.0
    begun = level.start if level.start is not None and level.start >= since else None
    first_at, first_used = (begun, 0) if begun is not None else samples[0]
    hours = (now - first_at).total_seconds() / 3600
    return None if hours < 0.25 else max(0.0, (level.used_nano_usd - first_used) / hours)
