"""By rule of a policy, the counter that is nearest its cap, as the decisions of this worker tell.

An owner is no label: of all counters of a rule the fullest stands for it. A decision lists of the rules that approved
only the one nearest its cap, so a rule that is never the nearest is told of when it warns.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from spendgate.model.decision import Decision, Reason
from telemetry.labels import OTHER, Labels

KEPT_S = 900.0
"""How long after its window's end a counter is still told of: a rolling window ends with every call's bucket."""
NAMES = ["tenant", "policy", "rule"]
_Place = tuple[str, str, int]
"""Tenant, policy, rule."""
_Said = tuple[Reason, int, int, int]
"""What a call found, what is recorded after it, its cost, the limit; nano-USD."""


class Held(NamedTuple):
    """A counter after a call. ``used_nano_usd``: admitted; ``recorded_nano_usd``: with what the policy itself denied.
    ``end_s``: of its window; None for a lifetime."""

    counter: str
    limit_nano_usd: int
    used_nano_usd: int
    recorded_nano_usd: int
    start_s: float | None
    end_s: float | None

    def gives_way_to(self, other: "Held") -> bool:
        """Whether another is told of instead: the same one later, one of a later window, or a fuller one."""
        if self.counter == other.counter or _is_after(other, self):
            return True
        if _is_after(self, other):
            return False
        return other.recorded_nano_usd * self.limit_nano_usd > self.recorded_nano_usd * other.limit_nano_usd


def _is_after(later: Held, held: Held) -> bool:
    return held.end_s is not None and later.start_s is not None and later.start_s >= held.end_s


class Fullest(Collector):
    """Told of at a scrape. ``clock``: seconds since the epoch."""

    def __init__(self, labels: Labels, clock: Callable[[], float] = time.time) -> None:
        self.labels = labels
        self.clock = clock
        self._held: dict[_Place, Held] = {}

    def note(self, decisions: Iterable[Decision]) -> None:
        """Take in what the decisions of a batch say of budgets; a few comparisons for each, for there are many."""
        fullest: dict[_Place, _Said] = {}
        same: dict[_Place, _Said] = {}
        told = self._held
        for decision in decisions:
            cost = decision.cost_nano_usd or 0
            for reason in decision.reasons:
                limit = reason.limit_nano_usd
                if limit is None:
                    continue
                place = decision.tenant, reason.policy, reason.rule
                recorded = (reason.recorded_before_nano_usd or 0) + cost
                best = fullest.get(place)
                if best is None or _beats(reason, recorded, limit, best):
                    fullest[place] = reason, recorded, cost, limit
                held = told.get(place)
                if held is not None and held.counter == reason.counter:
                    same[place] = reason, recorded, cost, limit
        for found in (same, fullest):
            for place, said in found.items():
                self._take(place, _held(*said))

    def _take(self, place: _Place, found: Held) -> None:
        known = self._held.get(place)
        if known is None:
            if self.labels.policy(*place[:2])[0] != OTHER:
                self._held[place] = found
        elif known.gives_way_to(found):
            self._held[place] = found

    def clear(self) -> None:
        """Forget all: the partitions are no longer ours."""
        self._held.clear()

    def describe(self) -> Iterable[Metric]:
        """The names, without values."""
        return self._families([])

    def collect(self) -> Iterable[Metric]:
        """What is not over yet."""
        now = self.clock()
        current = [
            (place, held) for place, held in list(self._held.items()) if held.end_s is None or now < held.end_s + KEPT_S
        ]
        return self._families(current)

    @staticmethod
    def _families(held: Sequence[tuple[_Place, Held]]) -> Iterator[Metric]:
        def family(name: str, words: str, value: Callable[[Held], float | None]) -> Metric:
            made = GaugeMetricFamily(f"spendgate_budget_{name}", words, labels=NAMES)
            for (tenant, policy, rule), each in held:
                if (found := value(each)) is not None:
                    made.add_metric([tenant, policy, str(rule)], found)
            return made

        yield family("limit_nano_usd", "The cap of a rule's fullest counter", lambda h: h.limit_nano_usd)
        yield family("used_nano_usd", "What it has admitted in its window", lambda h: h.used_nano_usd)
        yield family("recorded_nano_usd", "What was spent in its window", lambda h: h.recorded_nano_usd)
        yield family("window_end_timestamp_seconds", "When its window ends", lambda h: h.end_s)


def _beats(reason: Reason, recorded: int, limit: int, best: _Said) -> bool:
    """Whether a counter is fuller than the best of the batch so far, or of a later window."""
    held, held_recorded, _, held_limit = best
    if reason.window_start != held.window_start and reason.window_start is not None and held.window_end is not None:
        if reason.window_start >= held.window_end:
            return True
        if held.window_start is not None and reason.window_end is not None and held.window_start >= reason.window_end:
            return False
    return recorded * held_limit > held_recorded * limit


def _held(reason: Reason, recorded: int, cost: int, limit: int) -> Held:
    used = (reason.used_before_nano_usd or 0) + (0 if reason.verdict == "deny" else cost)
    start, end = _seconds(reason.window_start), _seconds(reason.window_end)
    return Held(reason.counter or "", limit, used, recorded, start, end)


def _seconds(instant: datetime | None) -> float | None:
    return None if instant is None else instant.timestamp()
