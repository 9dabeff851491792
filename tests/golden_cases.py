"""Loads the golden cases: policies, calls and the answers that a person worked out by hand.

A case is a part of a YAML file in ``golden/``. Its ``log`` lists what was recorded, in log order; an entry is a
call, unless it says ``stage``, ``end``, ``enforce``, ``demote``, ``settings``, ``correct`` or ``outcome``. A log
that stages nothing has every policy staged in shadow before its first entry.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, model_validator
from ruamel.yaml import YAML

from spendgate.model.activation import Activation, SettingsChange, Stage
from spendgate.model.decision import Code, Mark, Position, Verdict
from spendgate.model.event import Event, EvidenceStatus
from spendgate.model.money import parse_usd
from spendgate.model.policy import Policy
from tests.oracle.documents import Record, to_ms

FOLDER = Path(__file__).parent / "golden"
TENANT = "acme"
OWNERS = ("team", "employee", "customer", "project", "workflow", "agent", "model", "vendor")


class DecisionLike(Protocol):
    """What an evaluator's decision must have to be checked: reasons as in ``spendgate.model.decision.Reason``."""

    @property
    def verdict(self) -> Verdict: ...
    @property
    def marks(self) -> tuple[Mark, ...]: ...
    @property
    def check_id(self) -> str | None: ...
    @property
    def reasons(self) -> Sequence[Any]: ...


class Strict(BaseModel):
    """A part of a case; a misspelt field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ExpectedReason(Strict):
    """What one listed reason must say; what is absent is not looked at.

    It is the reason of ``policy`` and ``rule`` where they are given (rules count from 0), and otherwise the
    first one listed with the verdict of the call. ``resets: never`` means that it has no reset.
    """

    policy: str | None = None
    rule: int | None = None
    staging: str | None = None
    stage: Stage | None = None
    says: Verdict | None = None
    code: Code | None = None
    counter: str | None = None
    used_before_usd: str | None = None
    recorded_before_usd: str | None = None
    remaining_usd: str | None = None
    overage_usd: str | None = None
    window: tuple[datetime, datetime] | None = None
    resets: datetime | Literal["never"] | None = None
    alerts: tuple[int, ...] | None = None

    def disagreements(self, decision: DecisionLike) -> list[str]:
        """What the decision's reason says otherwise."""
        reason = next((reason for reason in decision.reasons if self._is_of(reason, decision.verdict)), None)
        if reason is None:
            return ["no such reason is listed"]
        stated = self._stated()
        return _differences([(name, value, getattr(reason, name)) for name, value in stated.items()])

    def _is_of(self, reason: Any, verdict: Verdict) -> bool:
        if self.policy is None and self.rule is None and self.staging is None:
            return bool(reason.verdict == verdict)
        return (
            self.policy in (None, reason.policy)
            and self.rule in (None, reason.rule)
            and self.staging in (None, reason.staging)
        )

    def _stated(self) -> dict[str, Any]:
        """The fields that are stated, under the names and in the units of a reason."""
        start, end = self.window or (None, None)
        fields: dict[str, Any] = {
            "stage": self.stage,
            "verdict": self.says,
            "code": self.code,
            "counter": self.counter,
            "used_before_nano_usd": _nano_usd(self.used_before_usd),
            "recorded_before_nano_usd": _nano_usd(self.recorded_before_usd),
            "remaining_nano_usd": _nano_usd(self.remaining_usd),
            "overage_nano_usd": _nano_usd(self.overage_usd),
            "window_start": start,
            "window_end": end,
            "reset_at": self.resets,
            "alerts": self.alerts,
        }
        stated = {name: value for name, value in fields.items() if value is not None}
        return stated | ({"reset_at": None} if self.resets == "never" else {})


class Expected(Strict):
    """What the answer to one call must be. ``listed`` is how many reasons the decision lists."""

    verdict: Verdict
    marks: tuple[Mark, ...] = ()
    check_id: str | None = None
    listed: int | None = None
    reasons: tuple[ExpectedReason, ...] = ()

    def disagreements(self, decision: DecisionLike | None) -> list[str]:
        """What the decision says otherwise; nothing if it is as expected."""
        if decision is None:
            return [f"expected {self.verdict}, and there is no decision"]
        listed = len(decision.reasons)
        found = _differences(
            [
                ("verdict", self.verdict, decision.verdict),
                ("marks", self.marks, tuple(decision.marks)),
                ("check_id", self.check_id, decision.check_id),
                ("listed", listed if self.listed is None else self.listed, listed),
            ]
        )
        return found + [line for reason in self.reasons for line in reason.disagreements(decision)]


def _differences(fields: list[tuple[str, Any, Any]]) -> list[str]:
    return [f"{name}: expected {mine}, got {theirs}" for name, mine, theirs in fields if mine != theirs]


class Entry(Strict):
    """One entry of a case's log. ``received`` is the broker's time, by default ``at``.

    ``at`` is when it took place; ``cost_usd: unknown`` is an unpriced call; ``expect: duplicate`` means no
    decision. ``reason``, or several ``reasons``, are what the decision must say.
    """

    at: datetime
    received: datetime | None = None
    id: str | None = None
    source: str = "app"
    why: str | None = None

    cost_usd: str | None = None
    team: str | None = None
    employee: str | None = None
    customer: str | None = None
    project: str | None = None
    workflow: str | None = None
    agent: str | None = None
    model: str | None = None
    vendor: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    evidence_status: EvidenceStatus | None = None
    check_id: str | None = None
    expect: Verdict | Literal["duplicate"] | None = None
    marks: tuple[Mark, ...] = ()
    listed: int | None = None
    reason: ExpectedReason | None = None
    reasons: tuple[ExpectedReason, ...] = ()

    stage: str | None = None
    staging: str | None = None
    as_stage: Stage = "shadow"
    ends: list[str] = []
    end: str | None = None
    enforce: str | None = None
    demote: str | None = None
    settings: dict[str, Any] | None = None
    correct: str | None = None
    outcome: str | None = None

    @model_validator(mode="after")
    def _a_call_has_an_answer(self) -> Self:
        if self.is_call != (self.expect is not None):
            raise ValueError("expected an answer to each call, and to nothing else")
        return self

    @property
    def is_call(self) -> bool:
        """Whether it is a call, and neither an activation nor an annotation."""
        others = (self.stage, self.end, self.enforce, self.demote, self.settings, self.correct, self.outcome)
        return all(other is None for other in others)

    @property
    def expected(self) -> Expected | None:
        """What the answer must be; None where there must be none."""
        if self.expect is None or self.expect == "duplicate":
            return None
        reasons = self.reasons if self.reason is None else (self.reason, *self.reasons)
        return Expected(
            verdict=self.expect, marks=self.marks, check_id=self.check_id, listed=self.listed, reasons=reasons
        )


class Case(Strict):
    """One golden case: what is staged, what was recorded, what the answers are and why."""

    case: str
    why: str
    policies: list[Policy]
    log: list[Entry]

    @property
    def documents(self) -> dict[str, Policy]:
        """The policies by the hash that the activations name."""
        return {_hash(policy): policy for policy in self.policies}

    @property
    def expected(self) -> list[Expected | None]:
        """For each of ``records()``, the answer that it must get; None where it must get none."""
        return [entry.expected for entry in self._entries()]

    def records(self) -> list[Record]:
        """The log, one record a message."""
        found = []
        for offset, entry in enumerate(self._entries()):
            received_at_ms = to_ms(entry.received or entry.at)
            body = self._body(entry, offset)
            found.append(Record(Position("spend.events", 0, offset, 0), received_at_ms, body))
        return found

    def _entries(self) -> list[Entry]:
        if any(entry.stage for entry in self.log):
            return self.log
        first = self.log[0].received or self.log[0].at
        return [*(Entry(at=first, stage=policy.metadata.name) for policy in self.policies), *self.log]

    def _body(self, entry: Entry, offset: int) -> Event | Activation:
        if entry.is_call or entry.correct or entry.outcome:
            return _event(entry, offset)
        activation = Activation(
            kind="activation",
            id=entry.id or f"activation-{offset}",
            tenant=TENANT,
            time=entry.at,
            action="end",
        )
        if entry.stage is not None:
            policy = next(policy for policy in self.policies if policy.metadata.name == entry.stage)
            activation.action, activation.policy, activation.hash = "stage", entry.stage, _hash(policy)
            activation.staging, activation.ends = entry.staging or entry.stage, entry.ends
            activation.stage = entry.as_stage
        elif entry.settings is not None:
            activation.action, activation.settings = "settings", SettingsChange(**entry.settings)
        else:
            activation.action = "enforce" if entry.enforce else "demote" if entry.demote else "end"
            activation.staging = entry.enforce or entry.demote or entry.end
        return activation


@dataclass(frozen=True)
class Disagreement:
    """A call of a case that an evaluator answers otherwise."""

    case: str
    offset: int
    why: str
    what: list[str]


@cache
def load_cases() -> tuple[Case, ...]:
    """Every case of every file in ``golden/``, in the order of names."""
    loader = YAML(typ="safe", pure=True)
    cases: list[Case] = []
    for path in sorted(FOLDER.glob("*.yaml")):
        cases += [Case.model_validate(case) for case in loader.load(path.read_text(encoding="utf-8"))]
    return tuple(cases)


def disagreements(case: Case, decisions: Sequence[DecisionLike | None]) -> list[Disagreement]:
    """Where the answers differ from the expected ones; ``decisions`` has one for each of ``records()``."""
    found = []
    for offset, (entry, decision) in enumerate(zip(case._entries(), decisions, strict=True)):
        wanted = entry.expected
        what = wanted.disagreements(decision) if wanted else [] if decision is None else ["expected no decision"]
        if what:
            found.append(Disagreement(case.case, offset, entry.why or case.why, what))
    return found


def _event(entry: Entry, offset: int) -> Event:
    kind: Literal["call", "correction", "outcome"] = "call"
    kind = "correction" if entry.correct else "outcome" if entry.outcome else kind
    return Event(
        id=entry.id or f"call-{offset}",
        source=entry.source,
        tenant=TENANT,
        time=entry.at,
        kind=kind,
        refers_to=entry.correct or entry.outcome,
        cost_nano_usd=None if entry.cost_usd == "unknown" else _nano_usd(entry.cost_usd),
        input_tokens=entry.input_tokens,
        output_tokens=entry.output_tokens,
        evidence_status=entry.evidence_status,
        check_id=entry.check_id,
        outcome="accepted" if entry.outcome else None,
        **{owner: getattr(entry, owner) for owner in OWNERS},
    )


def _hash(policy: Policy) -> str:
    return sha256(policy.model_dump_json().encode()).hexdigest()


def _nano_usd(usd: str | None) -> int | None:
    return None if usd is None else parse_usd(usd)
