"""Writes random logs: clocks that step back, late and future calls, window edges, repeats, activations."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from spendgate.model.activation import Action, Activation, SettingsChange
from spendgate.model.decision import Position
from spendgate.model.event import Event
from spendgate.model.policy import Policy
from tests.oracle.documents import Record, to_instant
from tests.oracle.drawn_policies import Draw, some
from tests.oracle.windows import window_of

TOPIC = "spend.events"
SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1000, 60_000, 3_600_000, 86_400_000
MOST_COST_NANO_USD = 2**53 - 1
STEPS_MS = [
    *([0, 1, SECOND_MS, MINUTE_MS, 20 * MINUTE_MS, 3 * HOUR_MS] * 3),
    26 * HOUR_MS, -1, -50 * MINUTE_MS, -80 * HOUR_MS,
]  # fmt: skip

VALUES: dict[str, list[str | None]] = {
    "team": ["marketing", "growth-eu", "growth-us", "Marketing", None],
    "employee": ["ann", "bob", None],
    "customer": ["acme", None],
    "project": ["apollo", None],
    "workflow": ["nightly", "incident-7", None],
    "agent": ["writer", None],
    "model": ["gpt-4o", "gpt-4o-mini", "claude-x", None],
    "vendor": ["openai", "anthropic", None],
}
COSTS_NANO_USD = [0, 1, 10**8, 25 * 10**7, 5 * 10**8, 10**9, 10**9 + 1]

_COSTS = st.one_of(
    st.sampled_from(COSTS_NANO_USD),
    st.sampled_from(COSTS_NANO_USD),
    st.integers(0, 2 * 10**9),
    st.sampled_from([None, MOST_COST_NANO_USD]),
)
_SETTINGS = st.builds(
    SettingsChange,
    grace_hours=st.sampled_from([None, 1, 24, 72, 100]),
    dedupe_hours=st.sampled_from([None, 1, 24, 48]),
    skew_minutes=st.sampled_from([None, 0, 5, 60]),
    reasons=st.sampled_from([None, "nearest", "all"]),
)


@dataclass
class Writer:
    """Writes a log with the draws that Hypothesis gives it."""

    draw: Draw
    documents: dict[str, Policy]
    tenants: list[str]
    now_ms: int
    records: list[Record] = field(default_factory=list)
    watermark_ms: int = field(init=False)
    stagings: dict[str, list[str]] = field(default_factory=dict)
    written: list[Activation] = field(default_factory=list)
    offset: int = 0
    events: int = 0
    staged: int = 0

    def __post_init__(self) -> None:
        self.watermark_ms = self.now_ms

    def calls(self, tenant: str) -> None:
        """One message of one to four calls, all of the broker's one instant."""
        self._tick()
        self._append([self._call(tenant) for _ in range(self.draw(st.sampled_from([1, 1, 2, 4])))])

    def annotation(self, tenant: str) -> None:
        """An outcome or a correction to some call: a past one, one to come, or none."""
        self._tick()
        kind = self.draw(st.sampled_from(["outcome", "correction", "correction"]))
        self.events += 1
        annotation = Event(
            id=f"a{self.events}",
            source=self._one_of(["app", "app", "job"]),
            tenant=tenant,
            time=to_instant(self.now_ms),
            kind=kind,
            refers_to=f"e{self.draw(st.integers(1, self.events + 3))}",
            cost_nano_usd=self._one_of(COSTS_NANO_USD) if kind == "correction" else None,
            outcome="accepted" if kind == "outcome" else None,
        )
        self._append([annotation])

    def activation(self, tenant: str) -> None:
        """Stage, end, enforce, demote, change settings, or repeat what was done before."""
        known = self.stagings.get(tenant, [])
        chosen = self._one_of(["stage", "settings", "repeat", *(["end", "enforce", "enforce", "demote"] * bool(known))])
        if chosen == "stage":
            self.stage(tenant, self._one_of(sorted(self.documents)))
        elif chosen == "repeat":
            if mine := [activation for activation in self.written if activation.tenant == tenant]:
                self._tick()
                self._append([self._one_of(mine)])
        elif chosen == "settings":
            self._activate(tenant, "settings", settings=self.draw(_SETTINGS))
        else:
            self._activate(tenant, chosen, staging=self._one_of(known))

    def stage(self, tenant: str, digest: str) -> None:
        """Stage that version under a new id; it may end others, of its own policy or not."""
        known = self.stagings.setdefault(tenant, [])
        self.staged += 1
        staging = f"staging-{self.staged}"
        ends = self.draw(some(known, at_least=0, at_most=2)) if known else []
        stage = self._one_of(["shadow", "shadow", "shadow", "enforced"])
        name = self.documents[digest].metadata.name
        self._activate(tenant, "stage", staging=staging, policy=name, hash=digest, stage=stage, ends=ends)
        known.append(staging)

    def _activate(self, tenant: str, action: Action, **fields: Any) -> None:
        self._tick()
        activation = Activation(
            kind="activation",
            id=f"activation-{len(self.written)}",
            tenant=tenant,
            time=to_instant(self.now_ms),
            action=action,
            **fields,
        )
        self.written.append(activation)
        self._append([activation])

    def _call(self, tenant: str) -> Event:
        fresh = self.draw(st.integers(0, 7)) > 0
        if fresh:
            self.events += 1
        number = self.events if fresh else self.draw(st.integers(1, self.events + 1))
        return Event(
            id=f"e{number}",
            source=self._one_of(["app", "app", "app", "job"]),
            tenant=tenant,
            time=self._event_time(),
            cost_nano_usd=self.draw(_COSTS),
            evidence_status=self._one_of(["present", "missing", None]),
            input_tokens=self._one_of([0, 100, 101, None]),
            output_tokens=self._one_of([0, 100, 101, None]),
            check_id=self._one_of([None, None, f"chk-{number}", "chk-1"]),
            **{name: self._one_of(values) for name, values in VALUES.items()},
        )

    def _event_time(self) -> datetime:
        """In order, late, very late, future, at a horizon or at an edge of a window, to the millisecond."""
        way = self._one_of([*["now"] * 6, "past", "past", "future", "horizon", "edge", "edge"])
        at_ms = self.now_ms
        if way == "past":
            at_ms -= self._one_of([1, SECOND_MS, HOUR_MS, 30 * HOUR_MS, 71 * HOUR_MS, 80 * HOUR_MS, 40 * DAY_MS])
        elif way == "future":
            at_ms += self._one_of([1, 5 * MINUTE_MS, 5 * MINUTE_MS + 1, HOUR_MS + 1, 3 * DAY_MS])
        elif way == "horizon":
            at_ms = self.watermark_ms - self._one_of([1, 72]) * HOUR_MS + self._one_of([-1, 0, 1])
        elif way == "edge":
            at_ms = self._edge() - self._one_of([0, 1])
        return to_instant(at_ms) + timedelta(microseconds=self._one_of([0, 0, 999]))

    def _edge(self) -> int:
        """Where a window of some budget begins or ends, about now."""
        found = [
            edge
            for policy in self.documents.values()
            for rule in policy.spec.rules
            if rule.budget is not None
            for window in [window_of(rule.budget.window, self.now_ms)]
            for edge in (window.start_ms, window.end_ms)
            if edge is not None
        ]
        return int(self._one_of(found)) if found else self.now_ms

    def _tick(self) -> None:
        """Let the broker's clock go on, stand, step back, or catch up with the watermark."""
        since = self._one_of([self.now_ms, self.watermark_ms, self.watermark_ms])
        self.now_ms = since + self._one_of(STEPS_MS)
        self.watermark_ms = max(self.watermark_ms, self.now_ms)

    def _append(self, bodies: Sequence[Event | Activation]) -> None:
        for index, body in enumerate(bodies):
            self.records.append(Record(Position(TOPIC, 0, self.offset, index), self.now_ms, body))
        self.offset += 1

    def _one_of(self, values: list[Any]) -> Any:
        return self.draw(st.sampled_from(values))
