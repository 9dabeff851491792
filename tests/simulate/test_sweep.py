"""Each point of a sweep is a simulation of its own, and a suggestion holds where it says and breaks just below."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spendgate.ledger.reader_problem import InputError
from spendgate.model.event import Event
from spendgate.model.policy import Policy
from spendgate.simulate.job import Job, Source, run_job
from spendgate.simulate.suggest import suggest_section
from spendgate.simulate.sweep import parse_sweep, sweep_section
from tests.engine.scenes import budget, call, policy
from tests.simulate.drawn_files import write_events

DAY = {"calendar": "day", "timezone": "UTC"}
WINDOWS: list[dict[str, Any]] = [DAY, {"rolling": "24h"}, {"lifetime": True}, {"calendar": "hour", "timezone": "UTC"}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sweeps")


def report(folder: Path, events: list[Event], which: Policy, **sections: Any) -> dict[str, Any]:
    path = write_events(folder / "events.jsonl", events)
    return run_job(Job(["spendgate", "simulate"], [which], Source(events=path), sections=sections))


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    after, found = 0, []
    for number in range(draw(st.integers(1, 40))):
        after += draw(st.integers(0, 400))
        event = call(timedelta(minutes=after), f"e{number}", draw(st.integers(0, 3 * 10**9)))
        found.append(
            msgspec.structs.replace(
                event,
                team=draw(st.sampled_from(["red", "blue", None])),
                outcome=draw(st.sampled_from(["accepted", "rejected", None])),
            )
        )
    return found


@given(events=histories(), window=st.sampled_from(WINDOWS), per=st.sampled_from([[], ["team"]]))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_point_of_a_sweep_is_a_simulation_of_its_own(
    folder: Path, events: list[Event], window: dict[str, Any], per: list[str]
) -> None:
    def capped(cap: str) -> Policy:
        return policy(budget(cap, window, per=per, warn_at_percent=[50]), {"review": {"when": {"cost_usd_over": "2"}}})

    which = capped("9")
    points = report(folder, events, which, sweep=sweep_section("cap=1:9:2", [which]))["sweep"]["points"]
    for point in points:
        alone = report(folder, events, capped(point["value"]))
        closed = alone["verdicts"]["closed"]
        assert point["denied_calls"] == closed["deny"]["calls"]
        assert point["denied_nano_usd"] == closed["deny"]["cost_nano_usd"]
        assert point["warned_calls"] == closed["warn"]["calls"]
        assert point["lost_accepted"] == alone["outcomes"]["denied"]["accepted"]["calls"]
        owners = alone["owners"]["team" if per else "employee"]
        assert point["owners_hit"] == sum(each["closed"]["deny"]["calls"] > 0 for each in owners)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("cap=1:2:0.5", ("1", "1.5", "2")),
        ("policy/0.cap=3,4", ("3", "4")),
        ("warn=50:60:5", ("50", "55", "60")),
        ("window=24h,month", ("24h", "month")),
    ],
)
def test_a_sweep_is_read_as_it_is_written(text: str, values: tuple[str, ...]) -> None:
    sweep = parse_sweep(text, [policy(budget("5", DAY))])
    assert sweep.values == values
    assert len(sweep.variants()) == len(values)


@pytest.mark.parametrize(
    "text",
    ["", "cap", "cap=", "cap=1:2", "cap=2:1:1", "cap=1:2:0", "cap=1:9999:0.1", "cap=x", "warn=0.5,1", "other.cap=1"],
)
def test_what_is_no_sweep_is_told(text: str) -> None:
    with pytest.raises(InputError):
        parse_sweep(text, [policy(budget("5", DAY))])


def test_which_budget_is_meant_must_be_said() -> None:
    two = policy(budget("5", DAY), budget("6", DAY))
    with pytest.raises(InputError, match="policy/0, policy/1"):
        parse_sweep("cap=1,2", [two])
    assert parse_sweep("1.cap=1,2", [two]).target.rule == 1


@given(events=histories(), percent=st.sampled_from(["0", "10", "50"]), of=st.sampled_from(["accepted", "dollars"]))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_suggested_cap_holds_in_every_full_window_and_a_cent_less_does_not(
    folder: Path, events: list[Event], percent: str, of: str
) -> None:
    which = policy(budget("5", DAY, per=["team"]))
    if len({event.time.date() for event in events}) < 3:
        with pytest.raises(InputError, match="full window"):
            report(folder, events, which, suggest=suggest_section("0", percent, of, [which]))
        return
    found = report(folder, events, which, suggest=suggest_section("0", percent, of, [which]))["suggest"]
    assert all(each["lost"] * 100 <= int(percent) * each["of"] for each in found["windows"])
    less = Decimal(found["cap_usd"]) - Decimal("0.01")
    if less >= 0:
        assert any(each["deciding"] for each in found["windows"])
        named = {each["start"][:10] for each in found["windows"]}
        cheaper = policy(budget(str(less), DAY, per=["team"]))
        inside = [event for event in events if event.time.date().isoformat() in named]
        assert _breaks(folder, inside, cheaper, int(percent), of)


def _breaks(folder: Path, events: list[Event], which: Policy, percent: int, of: str) -> bool:
    for day in {event.time.date() for event in events}:
        found = report(folder, [event for event in events if event.time.date() == day], which)
        if of == "dollars":
            lost = found["verdicts"]["closed"]["deny"]["cost_nano_usd"]
            total = sum(each["cost_nano_usd"] for each in found["verdicts"]["closed"].values())
        else:
            lost = found["outcomes"]["denied"]["accepted"]["calls"]
            total = found["outcomes"]["all"]["accepted"]["calls"]
        if lost * 100 > percent * total:
            return True
    return False
