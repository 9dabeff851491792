"""Running the cases that a policy file carries: each is a short log of its own, judged from empty counters.

A case goes through the replay that simulations use, with its policy staged in shadow before the first event and
every reason listed, so a case that passes says what the live path would say of the same log.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from spendgate.engine.calls import Calls, time_ms
from spendgate.engine.decisions import Source
from spendgate.engine.scope import ScopeIndex
from spendgate.model.activation import Activation, SettingsChange
from spendgate.model.canonical import policy_hash
from spendgate.model.decision import Decision, Reason
from spendgate.model.event import Event
from spendgate.model.money import parse_usd
from spendgate.model.policy import Policy
from spendgate.model.policy_cases import CaseCall, CaseEvent, CaseReason, PolicyCase, instant_of
from spendgate.simulate.replay import LogReplay

FIRST_TIME = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
"""When the first event of a case takes place, unless it says otherwise; a Monday."""
STEP = timedelta(minutes=1)
TENANT, SOURCE = "test", "test"
_BEFORE_ALL = datetime(1970, 1, 2, tzinfo=UTC)
_NO_REASON = "no reason of it"


class Difference(NamedTuple):
    """A field that is not as expected; both sides as they stand in a reason, money in nano-USD."""

    field: str
    expected: Any
    got: Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What one event of a case got. ``number`` counts from 1; ``reasons`` are those of its decision."""

    number: int
    event: Event
    expected: CaseEvent
    got: str
    reasons: tuple[Reason, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What all events of a case got, in order."""

    case: PolicyCase
    answers: tuple[Answer, ...]

    @property
    def passed(self) -> bool:
        """Whether every event got what was expected of it."""
        return not any(answer.differences for answer in self.answers)


def run_case(policy: Policy, case: PolicyCase) -> CaseResult:
    """Judge the events of ``case`` by ``policy`` alone."""
    judge = _Judge(policy)
    answers = [judge.answer(i + 1, *dated) for i, dated in enumerate(_dated(case))]
    return CaseResult(case, tuple(answers))


class _Judge:
    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._hash = policy_hash(policy)
        self._scope = ScopeIndex.of([policy.spec.scope])
        self._replay = LogReplay(Source("test", "test", 0), {self._hash: policy}, _BEFORE_ALL)
        self._tenants: set[str] = set()

    def answer(self, number: int, expected: CaseEvent, event: Event, received_at: datetime) -> Answer:
        if event.tenant not in self._tenants:
            self._tenants.add(event.tenant)
            self._stage(event.tenant)
        calls = Calls()
        calls.add_message(number, time_ms(received_at), [0], [event])
        decision = next(iter(self._replay.pass_calls(event.tenant, calls)), None)
        got = self._got(event, decision)
        reasons = decision.reasons if decision else ()
        return Answer(number, event, expected, got, reasons, tuple(_differences(expected, got, reasons)))

    def _got(self, event: Event, decision: Decision | None) -> str:
        if decision is None:
            return "duplicate"
        looks = self._scope.matching([getattr(event, name) for name in self._scope.fields])
        return decision.verdict if looks else "out_of_scope"

    def _stage(self, tenant: str) -> None:
        settings = Activation(kind="activation", id="settings", tenant=tenant, time=_BEFORE_ALL, action="settings",
                              settings=SettingsChange(reasons="all"))  # fmt: skip
        staged = Activation(kind="activation", id="stage", tenant=tenant, time=_BEFORE_ALL, action="stage",
                            staging="case", policy=self._policy.metadata.name, hash=self._hash)  # fmt: skip
        for offset, activation in enumerate((settings, staged), -2):
            self._replay.pass_activation(activation, offset, time_ms(_BEFORE_ALL))


def _dated(case: PolicyCase) -> Iterator[tuple[CaseEvent, Event, datetime]]:
    """Each event of a case with what it expects and the broker's time of it."""
    following = FIRST_TIME
    for number, each in enumerate(case.events, 1):
        time = instant_of(each.time) if each.time else following
        received_at = instant_of(each.received_at) if each.received_at else time
        yield each, _event(each, case.defaults, number, time), received_at
        following = time + STEP


def _event(each: CaseEvent, defaults: CaseCall, number: int, time: datetime) -> Event:
    fields: Mapping[str, Any] = {
        name: getattr(defaults, name) if getattr(each, name) is None else getattr(each, name)
        for name in CaseCall.model_fields
    }
    said = {name: value for name, value in fields.items() if value is not None and name != "cost_usd"}
    cost = fields["cost_usd"]
    nano_usd = None if cost is None else parse_usd(cost)
    identity = {"tenant": TENANT, "source": SOURCE, "id": each.id or f"event-{number}"}
    return Event(**(identity | said), time=time, cost_nano_usd=nano_usd)


def _differences(expected: CaseEvent, got: str, reasons: tuple[Reason, ...]) -> Iterator[Difference]:
    if expected.expect != got:
        yield Difference("verdict", expected.expect, got)
    wanted = expected.because
    if wanted is None:
        return
    reason = _meant(reasons, wanted, got)
    if reason is None:
        yield Difference(
            "because", "a reason" if wanted.rule is None else f"a reason of rule {wanted.rule}", _NO_REASON
        )
        return
    for name in sorted(wanted.given() - {"rule"}):
        field, value = _stated(name, getattr(wanted, name))
        if getattr(reason, field) != value:
            yield Difference(field, value, getattr(reason, field))


def _meant(reasons: tuple[Reason, ...], wanted: CaseReason, verdict: str) -> Reason | None:
    """The reason of the rule that is named; else of those with the call's verdict the first that says as much."""
    if wanted.rule is not None:
        return next((each for each in reasons if each.rule == wanted.rule), None)
    of_verdict = [each for each in reasons if each.verdict == verdict]
    fields = [_stated(name, getattr(wanted, name))[0] for name in wanted.given()]
    full = (each for each in of_verdict if all(getattr(each, name) is not None for name in fields))
    return next(full, of_verdict[0] if of_verdict else None)


def _stated(name: str, value: str) -> tuple[str, Any]:
    """A field of ``because`` under the name and in the unit of a reason."""
    if name.endswith("_usd"):
        return name.removesuffix("_usd") + "_nano_usd", parse_usd(value)
    return name, instant_of(value) if name in ("window_start", "window_end", "reset_at") else value
