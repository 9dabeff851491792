"""Which calls raise an alert: a model that adds up what calls have cost agrees with what the store makes of decisions,
however these are cut, repeated, and shared out between doors."""

import itertools
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from policy_store import alerts
from policy_store.crossings import Crossing, crossings, untold
from policy_store.decisions import Decisions
from policy_store.errors import StoreAway
from policy_store.tables import alerts as table
from spendgate.model.decision import Decision
from spendgate.model.event import Event
from spendgate.model.policy import Budget, CalendarWindow, Policy, RollingWindow
from tests.engine.evaluate import evaluate
from tests.engine.scenes import START, budget, call, examples, log_of, policy, staged
from tests.oracle.documents import to_ms
from tests.store.conftest import Store
from tests.store.decided import decision, message, over
from tests.store.test_policies import at_once
from tests.strategies import policy_hash

CENT = 10**7
HOUR = CalendarWindow(calendar="hour")
CAP = 100 * CENT
Told = tuple[int, str, int, int | None]
"""Rule, counter, end of the window (0: a lifetime), percent (None: the cap)."""

WINDOWS: list[dict[str, Any]] = [{"calendar": "hour"}, {"rolling": "60m"}, {"rolling": "4h"}, {"lifetime": True}]
RULES = st.lists(
    st.builds(
        lambda window, breach, per, percents: budget("1", window, on_breach=breach, per=per, warn_at_percent=percents),
        st.sampled_from(WINDOWS), st.sampled_from(["warn", "review", "deny", "deny"]),
        st.sampled_from([[], ["team"]]), st.sampled_from([[], [80], [50, 80, 100], [1]]),
    ),
    min_size=1, max_size=3,
)  # fmt: skip
CALLS = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 1, 5, 20, 70, -3, -40]),
        st.sampled_from([5, 30, 30, 50, 90, 120, None]),
        st.sampled_from(["red", "red", "blue"]),
    ),
    min_size=1, max_size=40,
)  # fmt: skip


# The model


class Seen(NamedTuple):
    """A window, and what was spent in it: in closed loop, and in open loop."""

    start_ms: int
    end_ms: int
    used: int
    recorded: int


@dataclass
class Model:
    """The law, from what calls have cost: no decision is looked at."""

    policy: Policy
    spent: list[tuple[int, int, dict[int, str], bool]] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)

    def passed(self, event: Event) -> None:
        """Judge one call, and tell of what it crosses."""
        if event.cost_nano_usd is None:
            return
        at_ms, cost = to_ms(event.time), event.cost_nano_usd
        rules = [rule.budget for rule in self.policy.spec.rules if rule.budget is not None]
        counters = {n: f"team={event.team}" if rule.per else "all" for n, rule in enumerate(rules)}
        looked = [(n, rule, self.looked(n, rule, counters[n], at_ms)) for n, rule in enumerate(rules)]
        is_admitted = all(rule.on_breach != "deny" or seen.used + cost <= CAP for _, rule, seen in looked)
        for n, rule, seen in looked:
            for percent in rule.warn_at_percent:
                if is_admitted and seen.used < percent * CENT <= seen.used + cost:
                    self.tell((n, counters[n], seen.end_ms, percent), rule, seen.start_ms, is_below=True)
            if seen.used + cost > CAP:
                self.tell((n, counters[n], seen.end_ms, None), rule, seen.start_ms, is_below=seen.recorded <= CAP)
        self.spent.append((at_ms, cost, counters, is_admitted))

    def looked(self, rule: int, budget: Budget, counter: str, at_ms: int) -> "Seen":
        """The window of a call, and what it holds."""
        start, end = window_of(budget.window, at_ms)
        return Seen(start, end, *[self.sum(rule, counter, start, end, admitted=each) for each in (True, False)])

    def sum(self, rule: int, counter: str, start: int, end: int, *, admitted: bool) -> int:
        """What was spent in a window."""
        return sum(
            cost for at, cost, counters, was in self.spent
            if start <= at < end and counters[rule] == counter and (was or not admitted)
        )  # fmt: skip

    def tell(self, told: Told, budget: Budget, start_ms: int, *, is_below: bool) -> None:
        """Unless it was told."""
        rule, counter, end_ms, percent = told
        ends = [at for r, c, at, p in self.told if (r, c, p) == (rule, counter, percent)]
        if isinstance(budget.window, RollingWindow):
            if not ends or (end_ms > max(ends) and (is_below or start_ms >= max(ends))):
                self.told.append(told)
        elif end_ms not in ends:
            self.told.append(told)


def window_of(window: object, at_ms: int) -> tuple[int, int]:
    """The hour, the 240 buckets that end with the call's own, or all of time."""
    if isinstance(window, RollingWindow):
        width = window.minutes * 250
        end = (at_ms // width + 1) * width
        return end - 240 * width, end
    if getattr(window, "calendar", None) == "hour":
        return at_ms // 3_600_000 * 3_600_000, (at_ms // 3_600_000 + 1) * 3_600_000
    return -(10**18), 0 if at_ms < 0 else 10**18


def events_of(drawn: Sequence[tuple[int, int | None, str]]) -> list[Event]:
    minutes, found = 0, []
    for n, (step, cents, team) in enumerate(drawn):
        minutes += step
        cost = None if cents is None else cents * CENT
        found.append(call(timedelta(minutes=minutes, seconds=n), f"e{n}", cost, team=team))
    return found


def decided(which: Policy, events: list[Event]) -> list[Decision]:
    """What the engine says of them."""
    _, found = evaluate({policy_hash(which): which}, [log_of(staged(which, timedelta(days=-1)), *events)])
    return [found[place] for place in sorted(found)]


def told_of(found: Crossing) -> Told:
    end_ms = 10**18 if found.reason.window_end is None else to_ms(found.reason.window_end)
    return found.reason.rule, found.reason.counter or "", end_ms, found.percent


@dataclass
class Known:
    """What the store would know."""

    policy: Policy | None
    told: list[Crossing] = field(default_factory=list)

    def take(self, decisions: Sequence[Decision]) -> None:
        latest: dict[str, int] = {}
        for each in self.told:
            latest[each.series] = max(each.end_ms, latest.get(each.series, 0))
        ids = {each.id for each in self.told}
        self.told += untold(crossings(decisions), ids, latest, lambda *_: self.policy)


@given(rules=RULES, drawn=CALLS, cuts=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 12)), max_size=12))
@example(
    rules=[budget("1", {"rolling": "60m"}, on_breach="deny", warn_at_percent=[80])],
    drawn=[(0, 50, "red"), (30, 40, "red"), (1, 120, "red"), (34, 45, "red")], cuts=[],
)  # fmt: skip
@examples(100)
def test_the_store_tells_what_the_model_tells_however_decisions_are_cut_and_repeated(
    rules: list[dict[str, Any]], drawn: list[tuple[int, int | None, str]], cuts: list[tuple[int, int]]
) -> None:
    which, events = policy(*rules), events_of(drawn)
    model = Model(which)
    for event in events:
        model.passed(event)
    decisions, known, at = decided(which, events), Known(which), 0
    for size, back in cuts:
        known.take(decisions[at : at + size])
        at = max(0, min(at + size, len(decisions)) - back)
    known.take(decisions[at:])
    known.take(decisions)
    assert sorted(map(told_of, known.told), key=str) == sorted(model.told, key=str)


@given(drawn=CALLS, listed=st.booleans())
@examples(50)
def test_each_calendar_window_tells_of_each_threshold_that_its_sum_reached_and_of_no_other(
    drawn: list[tuple[int, int | None, str]], listed: bool
) -> None:
    which = policy(budget("1", {"calendar": "hour"}, per=["team"], warn_at_percent=[50, 80], on_breach="review"))
    events = events_of(drawn)
    known = Known(which if listed else None)
    known.take(decided(which, events))
    sums: dict[tuple[str, int], int] = {}
    for event in events:
        _, end = window_of(HOUR, to_ms(event.time))
        at = (f"team={event.team}", end)
        sums[at] = sums.get(at, 0) + (event.cost_nano_usd or 0)
    reached = {
        (0, counter, end, percent)
        for (counter, end), total in sums.items()
        for percent, least in ((50, 50 * CENT), (80, 80 * CENT), (None, CAP + 1))
        if total >= least
    }
    told = [told_of(each) for each in known.told]
    assert len(told) == len(set(told))
    if listed:
        assert set(told) == reached
    else:
        assert set(told) <= reached, "of a staging that is not known, no window twice"


def test_a_staging_that_begins_past_a_threshold_tells_only_of_what_is_crossed_from_then_on() -> None:
    which = policy(budget("1", {"calendar": "hour"}, warn_at_percent=[50, 80], on_breach="review"))
    minute = timedelta(minutes=1)
    before, after = [call(minute, "e0", 60 * CENT)], [call((n + 3) * minute, f"e{n}", 15 * CENT) for n in range(1, 5)]
    _, found = evaluate({policy_hash(which): which}, [log_of(*before, staged(which, 2 * minute), *after)])
    known = Known(which)
    known.take([found[place] for place in sorted(found)])
    assert [each.percent for each in known.told] == [80, None]


# On a rolling window that denies


def breach(minutes: int, recorded: int = 0) -> Decision:
    """A call over the cap of a rolling day, which denies; ``recorded`` was spent in its window before, in dollars."""
    end = START + timedelta(minutes=minutes)
    reason = over(
        "rolling",
        "deny",
        window_start=end - timedelta(days=1),
        window_end=end,
        recorded_before_nano_usd=recorded * 10**9,
    )
    return decision(minutes, reason, at=end)


ROLLING = policy(budget("5", {"rolling": "24h"}), name="rolling")


@pytest.mark.parametrize(
    ("calls", "tells"),
    [
        ([(0, 4), (6, 9), (12, 9)], [0]),  # what was spent stays over the cap, and is told once
        ([(0, 4), (6, 9), (12, 5)], [0, 12]),  # back within it, and over it again
        ([(0, 4), (1434, 9), (1440, 9)], [0, 1440]),  # a whole window later
        ([(12, 4), (6, 4), (12, 4)], [12]),  # late calls, of an older window
    ],
)
def test_a_cap_that_denies_is_told_again_once_spend_was_back_within_it_or_a_window_later(
    calls: list[tuple[int, int]], tells: list[int]
) -> None:
    known = Known(ROLLING)
    for minutes, recorded in calls:
        known.take([breach(minutes, recorded)])
    assert [each.decision.event_id for each in known.told] == [f"call-{minutes}" for minutes in tells]


# In the store


_stagings = (f"staging-{number}" for number in itertools.count())


@given(rules=RULES, drawn=CALLS, doors=st.lists(st.integers(0, 2), min_size=1, max_size=8))
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_doors_that_take_over_from_each_other_and_an_outage_change_nothing(
    store: Store, rules: list[dict[str, Any]], drawn: list[tuple[int, int | None, str]], doors: list[int]
) -> None:
    """Each begins with what the one before had not committed; door 0 finds the store away, and takes it again."""
    which, staging, known = policy(*rules), next(_stagings), Known(None)
    found = [of_staging(each, staging) for each in decided(which, events_of(drawn))]
    for each in found:
        known.take([each])
    each_door = [Decisions(store.database, store.clock) for _ in range(3)]
    size = -(-len(found) // len(doors))
    for n, door in enumerate(doors):
        part = [message(*found[max(0, n * size - 3) : n * size]), message(*found[n * size : (n + 1) * size])]
        if door == 0:
            with pytest.MonkeyPatch.context() as patched, suppress(StoreAway):
                patched.setattr(alerts, "raise_all", failing(alerts.raise_all))
                each_door[0].take(part)
        each_door[door].take(part)
    assert history(store, staging) == sorted(each.id for each in known.told)


def of_staging(found: Decision, staging: str) -> Decision:
    """The same, under a name that no other example has."""
    reasons = tuple(msgspec.structs.replace(reason, staging=staging) for reason in found.reasons)
    return msgspec.structs.replace(found, reasons=reasons)


def failing(real: Callable[..., object]) -> Callable[..., object]:
    """Does it, and then loses the database before it is committed."""

    def raise_all(*arguments: object) -> object:
        real(*arguments)
        raise StoreAway("store: the database does not answer (InterfaceError)")

    return raise_all


def history(store: Store, staging: str) -> list[str]:
    with store.database.read() as connection:
        return sorted(connection.scalars(select(table.c.id).where(table.c.staging == staging)))


def test_two_doors_that_take_the_same_at_once_tell_once(store: Store) -> None:
    found = [message(breach(minutes, recorded)) for minutes, recorded in ((0, 4), (6, 5), (12, 4), (12, 9))]
    doors = [Decisions(store.database, store.clock) for _ in range(2)]
    assert at_once(lambda: doors[0].take(found) and None, lambda: doors[1].take(found) and None) == [None, None]
    assert len(history(store, "stg-rolling")) == 3
