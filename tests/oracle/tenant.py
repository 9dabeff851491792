"""What the log says of one tenant so far: clocks, identities, settings, and the calls and their corrections."""

from dataclasses import dataclass, field
from typing import NamedTuple

from spendgate.model.event import Event
from spendgate.model.settings import Settings
from tests.oracle.documents import Record, to_ms
from tests.oracle.zones import HOUR_MS


class Identity(NamedTuple):
    """Who a call is, within its tenant."""

    source: str
    id: str


class Judged(NamedTuple):
    """An accepted call: its place in the tenant's log, itself, the time it is judged at, and if it was late."""

    place: int
    call: Event
    judged_ms: int
    late: bool
    skewed: bool


@dataclass
class Tenant:
    """The tenant's clocks and memory; no staging looks into another tenant's."""

    settings: Settings = field(default_factory=Settings)
    watermark_ms: int | None = None
    late_horizon_ms: int | None = None
    duplicate_horizon_hour: int | None = None
    filed: dict[Identity, int] = field(default_factory=dict)
    accepted: list[Judged] = field(default_factory=list)
    corrections: list[tuple[int, Event]] = field(default_factory=list)
    places: int = 0

    def witness(self, received_at_ms: int) -> None:
        """Let a valid record move the watermark, and the horizons forward and never back (readings 1 and 2)."""
        self.places += 1
        self.watermark_ms = _later(self.watermark_ms, received_at_ms)
        late = self.watermark_ms - self.settings.grace_hours * HOUR_MS
        self.late_horizon_ms = _later(self.late_horizon_ms, late)
        duplicate = self.watermark_ms // HOUR_MS - self.settings.dedupe_hours
        self.duplicate_horizon_hour = _later(self.duplicate_horizon_hour, duplicate)

    def accept(self, record: Record, call: Event) -> Judged | None:
        """Accept a call that the clocks have witnessed; None if it is a duplicate."""
        if self.watermark_ms is None or self.late_horizon_ms is None or self.duplicate_horizon_hour is None:
            raise AssertionError("a record is witnessed before it is accepted")
        identity = Identity(call.source, call.id)
        if self.filed.get(identity, self.duplicate_horizon_hour - 1) >= self.duplicate_horizon_hour:
            return None
        self.filed[identity] = self.watermark_ms // HOUR_MS
        time_ms = to_ms(call.time)
        skewed = time_ms > record.received_at_ms + self.settings.skew_minutes * 60_000
        judged_ms = record.received_at_ms if skewed else time_ms
        judged = Judged(self.places, call, judged_ms, judged_ms < self.late_horizon_ms, skewed)
        self.accepted.append(judged)
        return judged

    def corrected_costs(self) -> dict[int, int]:
        """By place of the call, the cost that the latest correction so far gives it, in nano-USD."""
        costs: dict[int, int] = {}
        for place, correction in self.corrections:
            target = self._referred(place, correction)
            if target is not None and correction.cost_nano_usd is not None:
                costs[target.place] = correction.cost_nano_usd
        return costs

    def _referred(self, place: int, annotation: Event) -> Judged | None:
        """The latest call of that source and id accepted before the annotation, else the first after it."""
        named = [
            judged
            for judged in self.accepted
            if judged.call.source == annotation.source and judged.call.id == annotation.refers_to
        ]
        before = [judged for judged in named if judged.place < place]
        after = [judged for judged in named if judged.place > place]
        return before[-1] if before else after[0] if after else None


def _later(known: int | None, new: int) -> int:
    return new if known is None else max(known, new)
