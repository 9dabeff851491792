"""Each point of a sweep is a simulation of its own, whichever way it is worked out."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spendgate.engine.rules import Int
from spendgate.ledger.reader_options import ReadOptions
from spendgate.ledger.reader_problem import InputError
from spendgate.model.event import Event
from spendgate.model.policy import Policy
from spendgate.simulate.cap_variants import cap_denials
from spendgate.simulate.history import FileHistory
from spendgate.simulate.job import Job, Source, run_job
from spendgate.simulate.run import Options
from spendgate.simulate.sweep import COUNTS, parse_sweep, sweep_section, sweep_table
from spendgate.simulate.variants import Denials, denials
from tests.engine.scenes import budget, call, policy
from tests.simulate.drawn_files import write_events

AS_USUAL = Options()
DAY = {"calendar": "day", "timezone": "UTC"}
WINDOWS: list[dict[str, Any]] = [DAY, {"rolling": "24h"}, {"lifetime": True}, {"calendar": "hour", "timezone": "UTC"}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sweeps")


def report(
    folder: Path, events: list[Event], which: Policy, options: Options = AS_USUAL, **sections: Any
) -> dict[str, Any]:
    path = write_events(folder / "events.jsonl", events)
    return run_job(Job(["spendgate", "simulate"], [which], Source(events=path), options=options, sections=sections))


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


@given(events=histories(), window=st.sampled_from(WINDOWS), per=st.sampled_from([[], ["team"]]), refuse=st.booleans())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_point_of_a_sweep_is_a_simulation_of_its_own(
    folder: Path, events: list[Event], window: dict[str, Any], per: list[str], refuse: bool
) -> None:
    def capped(cap: str) -> Policy:
        return policy(budget(cap, window, per=per, warn_at_percent=[50]), {"review": {"when": {"cost_usd_over": "2"}}})

    which, options = capped("9"), Options(refuse_reviews=refuse)
    points = report(folder, events, which, options, sweep=sweep_section("cap=1:9:2", [which]))["sweep"]["points"]
    refused = ("review", "deny") if refuse else ("deny",)
    for point in points:
        alone = report(folder, events, capped(point["value"]), options)
        closed = alone["verdicts"]["closed"]
        assert point["denied_calls"] == sum(closed[verdict]["calls"] for verdict in refused)
        assert point["denied_nano_usd"] == sum(closed[verdict]["cost_nano_usd"] for verdict in refused)
        assert point["warned_calls"] == closed["warn"]["calls"]
        assert point["lost_accepted"] == alone["outcomes"]["denied"]["accepted"]["calls"]
        owners = alone["owners"]["team" if per else "employee"]
        hit = [each for each in owners if any(each["closed"][verdict]["calls"] for verdict in refused)]
        assert point["owners_hit"] == len(hit)


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


@given(events=histories(), window=st.sampled_from(WINDOWS), refuse=st.booleans())
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_variants_side_by_side_say_what_the_sweep_kernel_says(
    folder: Path, events: list[Event], window: dict[str, Any], refuse: bool
) -> None:
    which = policy(budget("9", window, per=["team"], warn_at_percent=[50]), budget("12", {"rolling": "8h"}))
    sweep = parse_sweep("0.cap=0:9:3", [which])
    history = FileHistory(write_events(folder / "events.jsonl", events), ReadOptions())
    options = Options(refuse_reviews=refuse)
    kernel, plain = (
        each(sweep.target, sweep.variants(), history, options, 3, by_hour) for each in (cap_denials, denials)
    )
    assert_same(kernel, plain)


def by_hour(judged_ms: Int) -> Int:
    numbers: Int = judged_ms // 3_600_000 % 4 - 1
    return numbers


def assert_same(one: Denials, other: Denials) -> None:
    assert one.owners == other.owners
    for name in ("denied", "denied_nano_usd", "lost", "warned", "accepted", "nano_usd"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def in_two_tenants(count: int, back: timedelta) -> list[Event]:
    """Calls an hour apart, the last one so long ``back``; every other one of another tenant."""
    afters = [timedelta(hours=number) for number in range(count - 1)]
    events = [call(after, f"e{n}", 10**9) for n, after in enumerate([*afters, afters[-1] - back])]
    named = [msgspec.structs.replace(each, employee=f"p{n % 3}", outcome="accepted") for n, each in enumerate(events)]
    return [msgspec.structs.replace(each, tenant=f"tenant-{n % 2}") for n, each in enumerate(named)]


@pytest.mark.parametrize(
    ("back", "most_cells"), [(timedelta(), 2**26), (timedelta(), 2**16), (timedelta(), 1), (timedelta(hours=20), 2**26)]
)
def test_what_the_sweep_kernel_refuses_is_found_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch, back: timedelta, most_cells: int
) -> None:
    monkeypatch.setattr("spendgate.engine.sweep_state.MAX_RING_CELLS", most_cells)
    which = policy(budget("9", {"rolling": "3h"}, per=["employee"]))
    sweep = parse_sweep("cap=0,1,2", [which])
    history = FileHistory(write_events(folder / "events.jsonl", in_two_tenants(30, back)), ReadOptions())
    found = [count(sweep.target, sweep.variants(), history, Options()) for count in (cap_denials, denials)]
    assert_same(*found)
    assert found[0].denied.sum(axis=1).tolist() == [30, 0, 0]
    assert found[0].owners == [{"p0", "p1", "p2"}, set(), set()]


def test_swept_windows_keep_the_zone_and_the_first_day_of_the_budget(folder: Path) -> None:
    which = policy(budget("5", {"calendar": "week", "timezone": "Europe/Berlin", "week_starts": "sunday"}))
    windows = [
        variant.model_dump(mode="json", exclude_unset=True)["spec"]["rules"][0]["budget"]["window"]
        for variant in parse_sweep("window=24h,day,week", [which]).variants()
    ]
    assert windows == [
        {"rolling": "24h"},
        {"calendar": "day", "timezone": "Europe/Berlin"},
        {"calendar": "week", "timezone": "Europe/Berlin", "week_starts": "sunday"},
    ]


@given(events=histories())
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_swept_windows_and_thresholds_are_simulations_of_their_own(folder: Path, events: list[Event]) -> None:
    which = policy(budget("6", DAY, warn_at_percent=[50], per=["team"]))
    for text in ("warn=10:90:40", "window=3h,day,hour"):
        points = report(folder, events, which, sweep=sweep_section(text, [which]))["sweep"]["points"]
        for point, variant in zip(points, parse_sweep(text, [which]).variants(), strict=True):
            closed = report(folder, events, variant)["verdicts"]["closed"]
            assert point["denied_calls"] == closed["deny"]["calls"]
            assert point["denied_nano_usd"] == closed["deny"]["cost_nano_usd"]
            assert point["warned_calls"] == closed["warn"]["calls"]


def test_a_sweep_is_a_table_too(folder: Path) -> None:
    which = policy(budget("9", DAY))
    section = report(folder, in_two_tenants(4, timedelta()), which, sweep=sweep_section("cap=0,1,9", [which]))["sweep"]
    table = sweep_table(section)
    assert table.column_names == ["value", *COUNTS]
    assert table.to_pylist() == section["points"]
    assert table["denied_nano_usd"].to_pylist() == [4 * 10**9, 2 * 10**9, 0]


@pytest.mark.parametrize("text", ["cap=1:1E+999999:1", "cap=0:1:1E-999999", "cap=NaN:1:1", "cap=0:Infinity:1"])
def test_a_range_without_end_is_refused_at_once(text: str) -> None:
    with pytest.raises(InputError, match="sweep: expected"):
        parse_sweep(text, [policy(budget("5", DAY))])
