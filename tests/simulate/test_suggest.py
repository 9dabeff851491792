"""A suggested cap holds where it says it does, breaks just below, and says what it rests on."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spendgate.ledger.reader_options import ReadOptions
from spendgate.ledger.reader_problem import InputError
from spendgate.model.event import Event
from spendgate.model.policy import Policy
from spendgate.simulate.cap_search import CENT, GRID, step_of, usd
from spendgate.simulate.full_windows import full_windows
from spendgate.simulate.history import FileHistory
from spendgate.simulate.run import Options, simulate
from spendgate.simulate.suggest import Suggestion, parse_limit, suggest
from spendgate.simulate.variants import Target, denials
from tests.engine.scenes import START, budget, call, policy
from tests.simulate.drawn_files import write_events

DAY = {"calendar": "day", "timezone": "UTC"}
ROLLING = {"rolling": "24h"}
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("suggestions")


def history_of(folder: Path, events: Sequence[Event]) -> FileHistory:
    return FileHistory(write_events(folder / "events.jsonl", events), ReadOptions())


def days_of(*costs_usd: Sequence[int]) -> list[Event]:
    """Accepted calls of so many dollars, day by day, an hour apart from noon on."""
    midnight = timedelta(hours=13, minutes=30)
    return [
        call(midnight + timedelta(days=day, hours=12 + hour), f"e{day}-{hour}", cost * 10**9, outcome="accepted")
        for day, costs in enumerate(costs_usd)
        for hour, cost in enumerate(costs)
    ]


def suggested(folder: Path, which: Policy, events: Sequence[Event], percent: str, of: str = "accepted") -> Suggestion:
    return suggest(which, 0, history_of(folder, events), Options(), Decimal(percent), of)


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    found, after = [], 0
    for number in range(draw(st.integers(20, 60))):
        after += draw(st.integers(180, 600))
        event = call(timedelta(minutes=after), f"e{number}", draw(st.integers(0, 3 * 10**9)))
        outcome = draw(st.sampled_from(["accepted", "accepted", "rejected", None]))
        found.append(msgspec.structs.replace(event, team=draw(st.sampled_from(["red", "blue"])), outcome=outcome))
    return found


@given(
    events=histories(), percent=st.sampled_from(["0", "10", "33.3"]), of=st.sampled_from(["accepted", "dollars"]),
    window=st.sampled_from([DAY, ROLLING]),
)  # fmt: skip
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_the_suggested_cap_holds_in_every_full_window_and_a_step_less_does_not(
    folder: Path, events: list[Event], percent: str, of: str, window: dict[str, Any]
) -> None:
    which, history, limit = (
        policy(budget("5", window, per=["team"])),
        history_of(folder, events),
        parse_limit(percent, of),
    )
    found = suggest(which, 0, history, Options(), limit.percent, of)
    run = simulate([which], history)
    windows = full_windows(found.target.budget, run.tally.first_ms or 0, run.tally.last_ms or 0)
    caps = [found.cap_nano_usd, max(0, found.cap_nano_usd - found.step_nano_usd)]
    variants = [Target(which, 0).with_fields(cap_usd=usd(cap)) for cap in caps]
    counted = denials(found.target, variants, history, Options(), len(windows), windows.number_of)
    lost, totals = limit.sums(counted)
    assert [(w.lost, w.of) for w in found.windows] == list(zip(lost[0], totals, strict=True))
    assert all(map(limit.holds, lost[0], totals))
    if found.cap_nano_usd:
        assert not all(map(limit.holds, lost[1], totals))
        assert [w.deciding for w in found.windows] == [
            not limit.holds(*each) for each in zip(lost[1], totals, strict=True)
        ]


def test_the_window_that_decides_is_named(folder: Path) -> None:
    found = suggested(folder, policy(budget("5", DAY)), days_of([1], [2, 3], [7], [1], [1], [9]), "0")
    assert usd(found.cap_nano_usd) == "7.00"
    assert [w.deciding for w in found.windows] == [False, True, False, False]
    assert found.partial_windows == 2


def test_what_was_chosen_on_earlier_windows_is_shown_on_the_later(folder: Path) -> None:
    found = suggested(folder, policy(budget("5", DAY)), days_of([1], *[[2]] * 7, *[[6]] * 3, [1]), "0")
    report = found.as_report()
    assert (report["cap_usd"], report["held_out_cap_usd"]) == ("6.00", "2.00")
    assert [(w["lost"], w["of"]) for w in report["held_out"]] == [(1, 1)] * 3
    assert "chosen on the first 7 alone it would have been $2.00, and would have held in 0 of the 3" in report["words"]
    assert "11 days of history" in report["words"]
    assert "weak" not in report["words"]


def test_of_dollars_the_dollars_decide(folder: Path) -> None:
    events = days_of([1], [1, 1, 1, 1, 6], [1], [1])
    assert usd(suggested(folder, policy(budget("5", DAY)), events, "20").cap_nano_usd) == "4.00"
    assert usd(suggested(folder, policy(budget("5", DAY)), events, "20", "dollars").cap_nano_usd) == "10.00"


def test_a_lower_cap_that_holds_by_chance_is_not_suggested(folder: Path) -> None:
    """Under $4 the 5 is denied and the two 2s fit; under $5 the 5 fits and the 2s do not."""
    found = suggested(folder, policy(budget("5", DAY)), days_of([1], [5, 2, 2], [1], [1]), "34")
    assert usd(found.cap_nano_usd) == "7.00"
    assert found.lower_held > 0
    assert "with one between that does not" in found.words


def test_few_windows_are_called_weak(folder: Path) -> None:
    found = suggested(folder, policy(budget("5", DAY)), days_of([1], [2], [1]), "1")
    assert "1 full window;" in found.words
    assert "weak evidence" in found.words
    assert "too few windows to hold any out" in found.words
    assert found.as_report()["held_out_cap_usd"] is None


def test_a_cap_whose_breaches_are_reviewed_is_one_that_denies_where_reviews_are_refused(folder: Path) -> None:
    events, refused = days_of([1], [2, 1], [3, 1], [1]), Options(refuse_reviews=True)
    reviewed, denied = (
        suggest(
            policy(budget("5", DAY, on_breach=answer)), 0, history_of(folder, events), refused, Decimal(30), "accepted"
        )
        for answer in ("review", "deny")
    )
    assert reviewed.as_report() == denied.as_report()
    assert denied.cap_nano_usd == 4 * 10**9


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (budget("5", DAY), "at least one full window"),
        (budget("5", {"lifetime": True}), "a lifetime has no full window"),
        (budget("5", DAY, on_breach="review"), "on_breach: deny"),
    ],
)
def test_what_cannot_be_suggested_is_told(folder: Path, rule: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        suggested(folder, policy(rule), days_of([1], [1]), "1")


def test_no_cap_is_suggested_where_other_rules_deny_too_much(folder: Path) -> None:
    which = policy(budget("5", DAY), {"boundary": {"max_cost_usd": "1", "on_breach": "deny"}})
    with pytest.raises(InputError, match="other rules"):
        suggested(folder, which, days_of([1], [2, 1], [1], [1]), "1")


@pytest.mark.parametrize("percent", ["-1", "101", "x", "NaN", "Infinity", "0.0000001", "1E-999999999", "1E+999999"])
def test_what_is_no_percentage_is_told(percent: str) -> None:
    with pytest.raises(InputError, match="percent: expected a number from 0 to 100"):
        parse_limit(percent, "accepted")


def test_a_limit_is_of_accepted_outcomes_or_dollars() -> None:
    with pytest.raises(InputError, match="accepted or dollars"):
        parse_limit("1", "cents")


def test_a_limit_is_exact() -> None:
    limit = parse_limit("0.000001", "dollars")
    assert limit.holds(10**10, 10**18)
    assert not limit.holds(10**10 + 1, 10**18)


@given(cap=st.integers(0, 2**62))
def test_a_step_is_a_power_of_ten_cents_and_no_finer_than_three_grids_reach(cap: int) -> None:
    step = step_of(cap)
    assert str(step // CENT).strip("0") == "1"
    assert step % CENT == 0
    assert cap <= step * GRID**3
    assert step == CENT or cap > step // 10 * GRID**3


@given(first=st.integers(0, 5 * DAY_MS), length=st.integers(0, 10 * DAY_MS), window=st.sampled_from([DAY, ROLLING]))
def test_full_windows_lie_side_by_side_within_the_history(first: int, length: int, window: dict[str, Any]) -> None:
    begin = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * 1000 + first
    which = policy(budget("5", window)).spec.rules[0].budget
    assert which is not None
    found = full_windows(which, begin, begin + length)
    spans = found.spans()
    assert all(end - start == DAY_MS for start, end in spans)
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    assert all(begin <= start and end <= begin + length + 1 for start, end in spans)
    instants = np.arange(begin, begin + length + 1, max(1, length // 97), dtype=np.int64)
    for at, number in zip(instants.tolist(), found.number_of(instants).tolist(), strict=True):
        assert [n for n, (start, end) in enumerate(spans) if start <= at < end] == ([] if number < 0 else [number])
    if window is ROLLING:
        assert len(found) == (length + 1) // DAY_MS
        assert found.partial == ((length + 1) % DAY_MS > 0)
    else:
        touched = (begin + length) // DAY_MS - begin // DAY_MS + 1
        assert len(found) + found.partial == touched
        assert touched - 2 <= len(found) <= touched


def test_start_is_as_the_histories_above_take_it() -> None:
    assert (START + timedelta(hours=13, minutes=30)).hour == 0
