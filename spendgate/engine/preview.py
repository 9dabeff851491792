"""A preview: verdicts on calls that have not been made, by sums that were added up elsewhere; nothing of it is kept.

Calls of one class look at the same rules and, for a while, at the same windows, so what is planned of one holds for the
next. Of a window the kernel needs the sum alone, which it takes for that of a whole block; what it adds to its counters
is wiped away before the next call. What sums cannot tell is when a breached rolling budget has room again: see
``is_enough``.
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from spendgate.engine.batch import CALL, UNKNOWN, Batch, Records
from spendgate.engine.calls import Calls
from spendgate.engine.clock import late_horizon_ms
from spendgate.engine.counter_keys import key_text
from spendgate.engine.counters import MAX_SUM, VIEW, Counters
from spendgate.engine.decide import decide
from spendgate.engine.decisions import Judgement, Source
from spendgate.engine.names import Window
from spendgate.engine.plan import plan
from spendgate.engine.rules import CALENDAR, ROLLING, Int
from spendgate.engine.tenant import Tenant
from spendgate.model.decision import Decision
from spendgate.model.event import Event

MOST = 1_000
"""Classes of calls whose previews are kept."""


class Previews:
    """The previews of one judge, made as classes of calls come."""

    def __init__(self, judge: Tenant) -> None:
        self._judge = judge
        self._made: dict[tuple[int, bool], Preview] = {}

    def of(self, event: Event, at_ms: int) -> "Preview":
        """The preview for a call that is made and recorded at ``at_ms``."""
        classes = self._judge.program.classes
        if classes.trim() or len(self._made) > MOST:
            self._made.clear()
        klass = classes.class_of(classes.values_of(event))
        is_late = at_ms < late_horizon_ms(self._judge.document.clock, self._judge.settings)
        made = self._made.get((klass, is_late))
        if made is None or not made.holds(at_ms):
            made = self._made[klass, is_late] = Preview(self._judge, klass, at_ms, is_late)
        return made


class Preview:
    """Judges calls of one class, one at a time, while ``holds``. ``windows``: what is to be added up for each;
    ``rows``: whose windows these are, by the rows of the program's rules. No budget looks at a call that is late."""

    def __init__(self, judge: Tenant, klass: int, at_ms: int, is_late: bool = False) -> None:
        self.judge = judge
        self._groups = judge.program.layout.groups
        self._batch = _planned(judge, klass, at_ms, is_late)
        pairs = self._batch.pairs
        self._looking = np.nonzero(pairs["ref"] != UNKNOWN)[0]
        self.rows: Sequence[int] = pairs["rule"][self._looking].tolist()
        rows = judge.program.rules.rows[self.rows]
        self.windows: Sequence[Window] = tuple(
            map(judge.names.window, self.rows, pairs["window"][self._looking].tolist())
        )
        self._from_ms, self._until_ms = _span(rows, pairs[self._looking])
        self._desk = _desk(rows)
        pairs["ref"][self._looking] = np.arange(len(rows)) + np.where(rows["window"] == ROLLING, 0, 1)

    def holds(self, at_ms: int) -> bool:
        """Whether the windows of a call at ``at_ms`` are still these."""
        return self._from_ms <= at_ms < self._until_ms

    def keys(self, event: Event) -> list[str]:
        """The keys of a call's counters, which ``windows`` name by their places."""
        return [key_text(fields, [getattr(event, name) for name in fields]) for fields in self._groups]

    def consider(self, calls: Calls, at_ms: int, sums: Sequence[int]) -> Judgement:
        """Judge the one call of ``calls``. ``sums``: admitted and recorded of each of ``windows``, in nano-USD."""
        batch = self.batch(calls.events[0], at_ms)
        self._lay(sums)
        decide(self.judge.program.rules, self.judge.program.by_policy, batch, self._desk)
        return Judgement(calls, batch, _NOT_SKEWED)

    def batch(self, event: Event, at_ms: int) -> Batch:
        """A call as the engine takes it, not judged yet."""
        records = self._batch.calls.copy()
        records["judged_ms"] = at_ms
        for name, said in (
            ("cost", event.cost_nano_usd), ("input_tokens", event.input_tokens), ("output_tokens", event.output_tokens)
        ):  # fmt: skip
            records[name] = UNKNOWN if said is None else said
        return self._batch._replace(calls=records, pairs=self._batch.pairs.copy())

    def decisions(self, source: Source, judged: Judgement, keys: Sequence[str], decided_at: datetime) -> list[Decision]:
        """The decision of what was considered. ``keys``: the call's."""
        return self.judge.decisions_under(keys.__getitem__, source, judged, decided_at)

    def _lay(self, sums: Sequence[int]) -> None:
        cells = self._desk.cells
        for each in cells:
            each.fill(0)
        laid = np.array([min(each, MAX_SUM) for each in sums], np.int64).reshape(-1, 2)
        own = slice(1, len(laid) + 1)
        cells.admitted[own, 0] = cells.total_admitted[own] = laid[:, 0]
        cells.recorded[own, 0] = cells.total_recorded[own] = laid[:, 1]


def is_enough(judged: Judgement) -> bool:
    """Whether no rolling budget asks for the instant of its reset, which hangs on single buckets."""
    pairs = judged.batch.pairs
    return not ((pairs["reset"] != UNKNOWN) & (pairs["window_end"] == 0)).any()


_NOT_SKEWED: Int = np.zeros(1, np.int64)


def _planned(judge: Tenant, klass: int, at_ms: int, is_late: bool) -> Batch:
    """A call of the class, with keys that have their groups' numbers."""
    program = judge.program
    records: Records = np.zeros(1, CALL)
    records["judged_ms"], records["klass"], records["late"] = at_ms, klass, is_late
    keys = np.arange(len(program.layout.groups), dtype=np.int64).reshape(-1, 1)
    classes, calendars = program.classes.arrays(), program.calendars(at_ms, at_ms)
    return plan(program.rules, classes, calendars, records, keys, Counters())


def _span(rows: Records, pairs: Records) -> tuple[int, int]:
    """From when (ms) until when all of these pairs look at the same windows."""
    is_rolling, is_calendar = rows["window"] == ROLLING, rows["window"] == CALENDAR
    begun = np.where(is_rolling, pairs["window"] * rows["width_ms"], pairs["window"])[is_rolling | is_calendar]
    ends = np.where(is_rolling, (pairs["window"] + 1) * rows["width_ms"], pairs["window_end"])[is_rolling | is_calendar]
    return int(begun.max(initial=-MAX_SUM)), int(ends.min(initial=MAX_SUM))


def _desk(rows: Records) -> Counters:
    """Counters for these budgets: slot 0 stays empty, then one for the sum of each, then one for what each adds."""
    own = np.arange(len(rows)) + 1
    views = np.zeros((len(rows), VIEW), np.int64)
    views[:, 1], views[:, VIEW - 1] = own, own + len(rows)
    return Counters.of_slots(2 * len(rows) + 1, views)
