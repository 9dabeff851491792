"""A whole report, counted again: plain Python, one call after another, dollars as Decimal.

Written from the law and from what ``docs/simulate.md`` says of a report, and not from the simulator: it shares nothing
with ``spendgate.engine`` and ``spendgate.simulate``. What one rule says of one call is the recount of ``tests.oracle``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import msgspec

from spendgate.model.decision import VERDICTS, Verdict
from spendgate.model.event import Event
from spendgate.model.policy import Budget, CalendarWindow, Policy, RollingWindow
from tests.oracle.documents import OracleReason, Record, to_ms
from tests.oracle.matching import counter_key
from tests.oracle.staging import Judgement, Staging, worst
from tests.oracle.tenant import Tenant
from tests.oracle.windows import window_of

NANO = Decimal(10) ** 9


def usd(nano_usd: int | None) -> Decimal:
    """Dollars; nothing where there is no price."""
    return Decimal(nano_usd or 0) / NANO


@dataclass(frozen=True)
class Look:
    """What one policy says of one call, by the closed and by the open loop, and whether it lets it be spent."""

    policy: int
    judgement: Judgement
    open_verdict: Verdict
    admitted: bool


@dataclass(frozen=True)
class Said:
    """One accepted call, with the cost, the outcome and the evidence that were last said of it, and its place (how
    many records stand before it)."""

    place: int
    call: Event
    judged_ms: int
    late: bool
    looks: tuple[Look, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of all policies, closed loop."""
        return worst([look.judgement.verdict for look in self.looks])

    @property
    def open_verdict(self) -> Verdict:
        """The worst of all policies, open loop."""
        return worst([look.open_verdict for look in self.looks])

    @property
    def cost(self) -> Decimal:
        """Dollars."""
        return usd(self.call.cost_nano_usd)


@dataclass
class WindowRow:
    """One window of one key of one budget."""

    used: Decimal = Decimal(0)
    recorded: Decimal = Decimal(0)
    calls: int = 0
    first_breach_ms: int | None = None
    over_calls: int = 0
    over: Decimal = Decimal(0)
    denied_calls: int = 0


WindowName = tuple[str, int, int, str, int | None, int | None]
"""Tenant, policy, rule, key, start and end (ms) of a calendar window."""


@dataclass
class Book:
    """Everything that was said, in log order, and the windows."""

    said: list[Said] = field(default_factory=list)
    windows: dict[WindowName, WindowRow] = field(default_factory=dict)
    duplicates: int = 0
    annotations: int = 0

    @property
    def first_ms(self) -> int:
        """When the first call took place, by its own clock."""
        return min(to_ms(each.call.time) for each in self.said)


def evaluate(
    policies: Sequence[Policy],
    records: Sequence[Record],
    *,
    refuse_reviews: bool = False,
    as_recorded: bool = False,
    is_chosen: Callable[[Event], bool] = lambda _: True,
) -> Book:
    """Judge the chosen events of a log, in its order, as if every policy had been staged before its first record.

    What is not chosen repeats others and is repeated by others all the same; nothing else is known of it.
    """
    chosen = {place for place, record in enumerate(records) if is_chosen(event_of(record))}
    places = _accepted(records) & chosen
    told = {} if as_recorded else _told(records, places)
    book, tenants = Book(), dict[str, _Tenant]()
    for place, record in enumerate(records):
        if place not in chosen:
            continue
        event = event_of(record)
        tenant = tenants.setdefault(event.tenant, _Tenant(policies, refuse_reviews))
        tenant.clock.witness(record.received_at_ms)
        if event.kind != "call":
            book.annotations += 1
        elif place not in places:
            book.duplicates += 1
        else:
            _judge(book, tenant, record, msgspec.structs.replace(event, **told.get(place, {})), place)
    return book


def event_of(record: Record) -> Event:
    """The event of a record; activations have no place in a simulation."""
    if not isinstance(record.body, Event):
        raise TypeError("expected a log of events alone")
    return record.body


@dataclass
class _Tenant:
    policies: Sequence[Policy]
    refuse_reviews: bool
    clock: Tenant = field(default_factory=Tenant)
    stagings: list[Staging] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stagings = [
            Staging(f"{n}", policy.metadata.name, policy, "shadow") for n, policy in enumerate(self.policies)
        ]


def _accepted(records: Sequence[Record]) -> set[int]:
    """The places of calls that repeat nobody."""
    clocks: dict[str, Tenant] = {}
    found = set()
    for place, record in enumerate(records):
        event = event_of(record)
        clock = clocks.setdefault(event.tenant, Tenant())
        clock.witness(record.received_at_ms)
        if event.kind == "call" and clock.accept(record, event) is not None:
            found.add(place)
    return found


def _told(records: Sequence[Record], accepted: set[int]) -> dict[int, dict[str, object]]:
    """By the place of a call, what annotations say of it; the latest word on each field stands."""
    told: dict[int, dict[str, object]] = {}
    for place, note in enumerate(map(event_of, records)):
        if note.kind == "call":
            continue
        about = [each for each in sorted(accepted) if _identity(event_of(records[each])) == _referred(note)]
        before = [each for each in about if each < place]
        if about:
            told.setdefault(before[-1] if before else about[0], {}).update(_words(note))
    return told


def _identity(call: Event) -> tuple[str, str, str | None]:
    return call.tenant, call.source, call.id


def _referred(note: Event) -> tuple[str, str, str | None]:
    return note.tenant, note.source, note.refers_to


def _words(note: Event) -> dict[str, object]:
    names = ("cost_nano_usd",) if note.kind == "correction" else ("outcome", "evidence_status")
    return {name: value for name in names if (value := getattr(note, name)) is not None}


def _judge(book: Book, tenant: _Tenant, record: Record, call: Event, place: int) -> None:
    judged = tenant.clock.accept(record, call)
    if judged is None:
        raise AssertionError("an accepted call is accepted again by the same clock")
    looks = []
    for number, staging in enumerate(tenant.stagings):
        judgement = staging.look(call, judged.judged_ms, late=judged.late)
        if judgement is None:
            continue
        refused = judgement.verdict == "deny" or (tenant.refuse_reviews and judgement.verdict == "review")
        if refused and staging.counted.entries and staging.counted.entries[-1].call is call:
            staging.counted.entries[-1] = replace(staging.counted.entries[-1], admitted=False)
        looks.append(Look(number, judgement, _open(staging.policy, judgement, call, judged.late), not refused))
    said = Said(place, call, judged.judged_ms, judged.late, tuple(looks))
    book.said.append(said)
    for look in looks:
        _count(book, tenant.stagings[look.policy].policy, look, said)


def _open(policy: Policy, judgement: Judgement, call: Event, late: bool) -> Verdict:
    """The verdict against all that was spent: budgets by their recorded sums, the other rules as they are."""
    return worst(
        [_open_rule(policy.spec.rules[reason.rule].budget, reason, call, late) for reason in judgement.reasons]
    )


def _open_rule(budget: Budget | None, reason: OracleReason, call: Event, late: bool) -> Verdict:
    if budget is None or late or call.cost_nano_usd is None:
        return reason.verdict
    after, cap = usd(reason.recorded_before_nano_usd) + usd(call.cost_nano_usd), usd(budget.cap_nano_usd)
    if after > cap:
        return budget.on_breach
    return "warn" if any(after * 100 >= percent * cap for percent in budget.warn_at_percent) else "approve"


def _count(book: Book, policy: Policy, look: Look, said: Said) -> None:
    """Add the call to the window of each budget that looks at it."""
    if said.late:
        return
    reasons = {reason.rule: reason for reason in look.judgement.reasons}
    for number, rule in enumerate(policy.spec.rules):
        if rule.budget is not None:
            row = book.windows.setdefault(_name(look.policy, number, rule.budget, said), WindowRow())
            _add(row, look, said, reasons.get(number))


def _name(policy: int, rule: int, budget: Budget, said: Said) -> WindowName:
    span: tuple[int | None, int | None] = (None, None)
    if isinstance(budget.window, CalendarWindow):
        window = window_of(budget.window, said.judged_ms)
        span = window.start_ms, window.end_ms
    return (said.call.tenant, policy, rule, counter_key(budget.per, said.call), *span)


def _add(row: WindowRow, look: Look, said: Said, reason: OracleReason | None) -> None:
    row.calls += 1
    row.denied_calls += not look.admitted
    if said.call.cost_nano_usd is None:
        return
    row.recorded += said.cost
    row.used += said.cost if look.admitted else 0
    if reason is not None and reason.limit_nano_usd is not None:
        before, cap = usd(reason.used_before_nano_usd), usd(reason.limit_nano_usd)
        if before + said.cost > cap:
            row.over_calls += 1
            row.over += said.cost
            row.first_breach_ms = said.judged_ms if row.first_breach_ms is None else row.first_breach_ms


def by_verdict(said: Sequence[tuple[Verdict, Decimal]]) -> dict[str, tuple[int, Decimal]]:
    """Calls and dollars of each verdict."""
    return {
        verdict: (sum(v == verdict for v, _ in said), sum((d for v, d in said if v == verdict), Decimal(0)))
        for verdict in VERDICTS
    }


def rule_hits(policies: Sequence[Policy], book: Book) -> list[dict[str, int]]:
    """By rule of every policy in turn: how many calls it looked at, and how often it answered with each verdict."""
    return [
        _answers([_answer(said, look, number) for said in book.said for look in said.looks if look.policy == at])
        for at, policy in enumerate(policies)
        for number, rule in enumerate(policy.spec.rules)
        for _answer in [_late_silent if rule.budget is not None else _said_by]
    ]


def _said_by(_: Said, look: Look, number: int) -> Verdict | None:
    """A rule that names no reason approves."""
    return next((reason.verdict for reason in look.judgement.reasons if reason.rule == number), "approve")


def _late_silent(said: Said, look: Look, number: int) -> Verdict | None:
    """No budget looks at a late call."""
    return None if said.late else _said_by(said, look, number)


def _answers(verdicts: Sequence[Verdict | None]) -> dict[str, int]:
    given = [verdict for verdict in verdicts if verdict is not None]
    return {"looked": len(given), **{verdict: given.count(verdict) for verdict in VERDICTS}}


def kind_of(budget: Budget) -> str:
    """What a report calls the budget's window."""
    if isinstance(budget.window, CalendarWindow):
        return "calendar"
    return "rolling" if isinstance(budget.window, RollingWindow) else "lifetime"
