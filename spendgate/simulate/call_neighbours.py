"""The calls just before and after a recorded call in the window of a budget's counter: enough to draw a small timeline.

The counter is known by its text in the decision, and by the policy's scope. Its calls are those that a budget counts:
priced, accepted, in scope, judged in the window. When a call was judged follows from its times; whether it was too late
to be counted says its own decision, for that hangs on all that the log held before it.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from spendgate.engine.calls import time_ms
from spendgate.engine.clock import MINUTE_MS
from spendgate.engine.counter_keys import SHARED, key_values
from spendgate.engine.scope import ScopeIndex
from spendgate.engine.windows import BUCKETS
from spendgate.ledger.arrow_values import dictionary_of, values_of
from spendgate.ledger.delta_pieces import Piece
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_selection import Place, Reading, Selection
from spendgate.ledger.event_documents import instant_text
from spendgate.ledger.row_filter import Hits, Wanted
from spendgate.model.decision import VERDICTS, Reason
from spendgate.model.policy import Policy, RollingWindow
from spendgate.model.settings import Settings

MOST_LOOKED_AT = 500_000
"""So many rows of the ledger are looked at on either side of a call; then what was found has to do."""
_TOLD = ("source", "id", "time", "received_at", "cost_nano_usd", "offset", "index")
_SAID = ("position_offset", "position_index", "source", "event_id", "verdict", "marks")
_NONE = pa.table({})
_Int = npt.NDArray[np.int64]


class Counter(NamedTuple):
    """Whose calls are neighbours: those of a budget's reason. ``policy`` is None where its document is not at hand;
    then its scope is not looked at."""

    reason: Reason
    policy: Policy | None
    settings: Settings

    @property
    def key(self) -> dict[str, str | None]:
        """The values that its calls have, by field."""
        return key_values(self.reason.counter or SHARED)

    @property
    def after_end(self) -> datetime | None:
        """Before what instant a later call is judged whose window holds this one; None for no end."""
        start, end = self.reason.window_start, self.reason.window_end
        rule = None if self.policy is None else self.policy.spec.rules[self.reason.rule].budget
        if start is None or end is None or rule is None or not isinstance(rule.window, RollingWindow):
            return end
        return end + (end - start) * (BUCKETS - 1) / BUCKETS

    def columns(self) -> list[str]:
        """What ``counts`` looks at."""
        return ["duplicate", "cost_nano_usd", "time", "received_at", *self.key, *self._scope().fields]

    def counts(self, rows: pa.Table, end: datetime | None) -> Hits:
        """Which calls it counts that are judged from the start of its window to ``end``, as far as rows tell."""
        hits = ~_truth(rows["duplicate"]) & _truth(rows["cost_nano_usd"].is_valid())
        for name, value in self.key.items():
            hits &= _truth(rows[name].is_null() if value is None else pc.equal(rows[name], value))
        scope = self._scope()
        for name, values in zip(scope.fields, scope.indexes, strict=True):
            codes, known = dictionary_of(rows[name].combine_chunks())
            hits &= np.array([values.policies(each) != 0 for each in known], np.bool_)[codes]
        if self.reason.window_start is not None and end is not None:
            judged_ms = self._judged_ms(rows)
            hits &= (judged_ms >= time_ms(self.reason.window_start)) & (judged_ms < time_ms(end))
        return hits

    def _scope(self) -> ScopeIndex:
        return ScopeIndex.of([] if self.policy is None else [self.policy.spec.scope])

    def _judged_ms(self, rows: pa.Table) -> _Int:
        time_ms, received_ms = (_column_ms(rows[name]) for name in ("time", "received_at"))
        is_ahead = time_ms > received_ms + self.settings.skew_minutes * MINUTE_MS
        found: _Int = np.where(is_ahead, received_ms, time_ms)
        return found


def neighbours(ledger: Ledger, tenant: str, place: Place, counter: Counter, most: int) -> dict[str, Any]:
    """Up to ``most`` calls before the one at ``place`` and as many after it, in the order of the log. Raises
    LedgerError."""
    reason = counter.reason
    before, after = (_Side(ledger, tenant, place, counter, before=each) for each in (True, False))
    return {
        "policy": reason.policy, "staging": reason.staging, "rule": reason.rule, "counter": reason.counter,
        "window_start": instant_text(reason.window_start), "window_end": instant_text(reason.window_end),
        "limit_nano_usd": reason.limit_nano_usd, "used_before_nano_usd": reason.used_before_nano_usd,
        "recorded_before_nano_usd": reason.recorded_before_nano_usd, "scope_known": counter.policy is not None,
        "before": before.nearest(most)[::-1], "after": after.nearest(most),
        "is_partial": before.is_partial or after.is_partial,
    }  # fmt: skip


class _Decided(NamedTuple):
    """What a call's decision says of it."""

    verdict: str
    marks: Sequence[str]


class _Side:
    """One side of a call, from the call on outwards."""

    def __init__(self, ledger: Ledger, tenant: str, place: Place, counter: Counter, *, before: bool) -> None:
        self._ledger, self._tenant, self._place, self._counter = ledger, tenant, place, counter
        self._before = before
        self._end = counter.reason.window_end if before else counter.after_end
        self.is_partial = False

    def nearest(self, most: int) -> list[dict[str, Any]]:
        """The nearest first."""
        found: list[dict[str, Any]] = []
        for rows in self._candidates(max(2 * most, 1)):
            told = self._told(rows)
            found += told[::-1] if self._before else told
            if len(found) >= most:
                break
        return found[:most]

    def _candidates(self, at_a_time: int) -> Iterator[pa.Table]:
        """Calls that the counter counts unless they were late, the nearest tables first."""
        reading, looked = Reading(self._ledger, self._selection()), 0
        for piece in reading.pieces():
            rows = self._counted(reading, piece)
            for first in range(0, rows.num_rows, at_a_time):
                last = min(first + at_a_time, rows.num_rows)
                yield rows[rows.num_rows - last : rows.num_rows - first] if self._before else rows[first:last]
            looked += piece.rows
            if looked >= MOST_LOOKED_AT:
                self.is_partial = True
                return

    def _selection(self) -> Selection:
        values: dict[str, str | int] = {name: value for name, value in self._counter.key.items() if value is not None}
        values |= {"kind": "call", "topic_id": self._place.topic_id, "partition": self._place.partition}
        return Selection("events", self._tenant, Wanted(values, between=self._received()), self._place, self._before)

    def _received(self) -> dict[str, tuple[datetime, datetime]]:
        """When calls of the window can have been received: a clock may be ahead by the tolerated skew, and what comes
        after the grace is late."""
        start, settings = self._counter.reason.window_start, self._counter.settings
        if start is None or self._end is None:
            return {}
        least, most = timedelta(minutes=settings.skew_minutes), timedelta(hours=settings.grace_hours)
        return {"received_at": (start - least, self._end + most)}

    def _counted(self, reading: Reading, piece: Piece) -> pa.Table:
        hits = reading.hits(piece)
        if len(hits):
            rows = piece.columns(self._counter.columns()).take(pa.array(hits))
            hits = hits[self._counter.counts(rows, self._end)]
        if not len(hits):  # nobody's ids need be read
            return _NONE
        return piece.columns(_TOLD).take(pa.array(hits))

    def _told(self, rows: pa.Table) -> list[dict[str, Any]]:
        calls = rows.to_pylist()
        said = self._said(calls)
        return [_neighbour(call, decision) for call in calls if not _is_late(decision := said.get(_identity(call)))]

    def _said(self, calls: Sequence[Mapping[str, Any]]) -> dict[tuple[Any, ...], _Decided]:
        """The decisions of calls, by where the call stands and what it is called."""
        if not calls:
            return {}
        times, offsets = [each["time"] for each in calls], [each["offset"] for each in calls]
        wanted = Wanted(
            {"position_partition": self._place.partition}, from_=min(times), to=max(times) + timedelta(microseconds=1),
            between={"position_offset": (min(offsets), max(offsets))},
        )  # fmt: skip
        reading = Reading(self._ledger, Selection("decisions", self._tenant, wanted))
        found: dict[tuple[Any, ...], _Decided] = {}
        for piece in reading.pieces():
            if not any(piece.may_have(each) for each in times):
                continue
            rows = piece.columns(_SAID).take(pa.array(reading.hits(piece)))
            columns = [values_of(rows[name].combine_chunks()) for name in _SAID]
            for offset, index, source, id_, verdict, marks in zip(*columns, strict=True):
                found.setdefault((offset, index, source, id_), _Decided(verdict, marks or ()))
        return found


def _neighbour(call: Mapping[str, Any], decision: _Decided | None) -> dict[str, Any]:
    return {
        "source": call["source"], "id": call["id"], "time": instant_text(call["time"]),
        "received_at": instant_text(call["received_at"]), "cost_nano_usd": call["cost_nano_usd"],
        "verdict": None if decision is None else decision.verdict,
    }  # fmt: skip


def _is_late(decision: _Decided | None) -> bool:
    return decision is not None and "late" in decision.marks


def _identity(call: Mapping[str, Any]) -> tuple[Any, ...]:
    return call["offset"], call["index"], call["source"], call["id"]


def deciding(reasons: Sequence[Reason]) -> Reason | None:
    """The budget that decided, or was nearest to: the worst verdict, then the least that was left; None without any."""
    counted = [each for each in reasons if each.counter is not None and each.limit_nano_usd is not None]
    return min(counted, key=lambda each: (-VERDICTS.index(each.verdict), each.remaining_nano_usd or 0), default=None)


def _truth(test: Any) -> Hits:
    found: Hits = pc.fill_null(test, fill_value=False).to_numpy()
    return found


def _column_ms(column: pa.ChunkedArray) -> _Int:
    """Instants as whole milliseconds since the epoch, rounded down, as the engine has them."""
    found: _Int = column.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy() // 1000
    return found
