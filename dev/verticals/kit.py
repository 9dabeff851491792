"""What a vertical is made of: its words, its agents, and cases that leave metered calls behind.

All of it is synthetic and a function of the seed: documents have pages, pages are tokens, tokens cost what the price
book says. Draws use ``Random.random`` alone, whose sequence no Python version changes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple, TypeVar

from spendgate.ledger.sample_company import Draw, log_normal
from spendgate.model.event import Event, EvidenceStatus, Outcome

TOKENS_A_PAGE, TOKENS_OF_INSTRUCTIONS = 550, 400
PAGES_A_CALL = 40
TOOL_FAILED = "tool_error"
"""The status of a call whose tool did not answer."""
_MOST_TRIES, _TOKENS_A_TRY = 25, 700
_NO_PERSON, _NO_CUSTOMER = 0.05, 0.03
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent: the model that it calls, and the feature that it is part of."""

    name: str
    vendor: str
    model: str
    feature: str

    def on(self, vendor: str, model: str) -> "Agent":
        """The same agent on another model."""
        return replace(self, vendor=vendor, model=model)


class Step(NamedTuple):
    """One record for the meter; ``asks``: the agent asks the door first."""

    event: Event
    asks: bool = False


@dataclass(frozen=True)
class Vertical:
    """A workflow in words of its own. ``lines``: each line of business (the events' team) and its share of the cases.
    ``work`` does one case. ``suggest``: the budget of its policies whose cap is asked for, ``POLICY/RULE``."""

    title: str
    workflow: str
    code: str
    company: str
    line: str
    case: str
    person: str
    lines: Mapping[str, float]
    customers: str
    cases_a_day: int
    work: "Callable[[Case], None]"
    suggest: str


@dataclass(frozen=True, slots=True)
class Day:
    """A day's work, and when the tool that agents depend on was away."""

    begun: datetime
    away_from: datetime
    away_to: datetime

    @classmethod
    def draw(cls, begun: datetime, rng: Random) -> "Day":
        """A day whose tool is away for more than an hour, somewhere in it."""
        away = begun + timedelta(hours=1 + 3 * rng.random())
        return cls(begun, away, away + timedelta(minutes=60 + 30 * rng.random()))


@dataclass
class Case:
    """One case under way: its own time, its draws, and what it has left on the meter so far."""

    vertical: Vertical
    tenant: str
    number: int
    day: Day
    rng: Random
    line: str = ""
    steps: list[Step] = field(default_factory=list)
    now: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.now = self.day.begun + timedelta(hours=7 * self.rng.random())
        self.line = self.pick(self.vertical.lines)
        self._owner: dict[str, Any] = {
            "team": self.line, "project": self.id, "workflow": self.vertical.workflow,
            "customer": f"SYN-{self.vertical.customers}-{1 + int(9 * self.rng.random())}",
            "employee": f"SYN-{self.vertical.person.upper().replace(' ', '-')}-{1 + int(6 * self.rng.random()):02d}",
            "api_key_id": f"SYN-KEY-{self.line}",
        }  # fmt: skip

    @property
    def id(self) -> str:
        """Of the case, and the beginning of the id of each of its records."""
        return f"SYN-{self.vertical.code}-{self.number:05d}"

    def chance(self, share: float) -> bool:
        """True in this share of the draws."""
        return self.rng.random() < share

    def pick(self, weights: Mapping[T, float]) -> T:
        """One of the things, by weight."""
        return Draw(list(weights), weights.values())(self.rng)

    def some(self, median: float, sigma: float = 0.5) -> int:
        """A whole number from 1 on, log-normal."""
        return max(1, round(log_normal(self.rng, median, sigma)))

    def wait(self, minutes: float) -> None:
        """Time passes."""
        self.now += timedelta(minutes=minutes)

    def call(
        self, agent: Agent, task: str, input_tokens: int, output_tokens: int, *,
        asks: bool = False, status: str = "ok", evidence: EvidenceStatus | None = None,
    ) -> Event:  # fmt: skip
        """One call of an agent's model. ``evidence``: as the agent knows it when it calls."""
        latency_ms = 200 + 15 * output_tokens
        self.now += timedelta(milliseconds=latency_ms)
        made = Event(
            id=self._next_id(), source="synthetic", tenant=self.tenant, time=self.now, agent=agent.name, task=task,
            feature=agent.feature, vendor=agent.vendor, model=agent.model, **(self._owner | self._gaps()),
            input_tokens=input_tokens, output_tokens=output_tokens, latency_ms=latency_ms, status=status,
            evidence_status=evidence,
        )  # fmt: skip
        self.steps.append(Step(made, asks))
        return made

    def read(self, agent: Agent, pages: int, *, asks: bool = False) -> None:
        """Read a document, in parts where it is long; each part a call that is as large as its pages."""
        document = f"SYN-DOC-{self.number:05d}-{len(self.steps):03d}"
        for first in range(0, pages, PAGES_A_CALL):
            part = min(PAGES_A_CALL, pages - first)
            self.call(agent, document, TOKENS_OF_INSTRUCTIONS + TOKENS_A_PAGE * part, 120 + 18 * part, asks=asks)

    def use_tool(self, agent: Agent, task: str, input_tokens: int, output_tokens: int) -> bool:
        """A call that needs the tool of the day. While it is away the agent tries again and again, each time with all
        that went wrong before in its context; whether it got through in the end."""
        for attempt in range(_MOST_TRIES):
            away = self.day.away_from <= self.now < self.day.away_to
            tokens = input_tokens + attempt * _TOKENS_A_TRY
            self.call(agent, task, tokens, output_tokens, asks=True, status=TOOL_FAILED if away else "ok")
            if not away:
                return True
            self.wait(1.5)
        return False

    def decide(self, about: Event, outcome: Outcome, evidence: EvidenceStatus) -> None:
        """What a person says of a call afterwards, and whether it has been shown on what it rests."""
        shown = f"SYN-EV-{self.number:05d}-{len(self.steps):03d}" if evidence == "present" else None
        made = Event(
            id=self._next_id(), source="synthetic", tenant=self.tenant, time=self.now, kind="outcome",
            refers_to=about.id, outcome=outcome, evidence_status=evidence, evidence_id=shown,
        )  # fmt: skip
        self.steps.append(Step(made))

    def _next_id(self) -> str:
        return f"{self.id}-{len(self.steps):03d}"

    def _gaps(self) -> dict[str, None]:
        """What some calls do not say of whose they are: a shared account, a batch of several customers."""
        gaps: dict[str, None] = {}
        if self.chance(_NO_PERSON):
            gaps |= {"employee": None, "api_key_id": None}
        if self.chance(_NO_CUSTOMER):
            gaps |= {"customer": None}
        return gaps
