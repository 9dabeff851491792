"""What the story of the gate rests on: its clock, and the traffic that it plays."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dev.demo_gate.clock import CLOCK_ENV, Clock
from dev.demo_gate.facts import Facts
from dev.demo_gate.month import CAP_NANO_USD, LEFT_NANO_USD, TEAM, Day, days, month_before, month_of

instants = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))


def spent(played: list[Day], begin: datetime, end: datetime) -> int:
    """What the team has spent between two instants."""
    calls = (call for day in played for call in day.calls if call["team"] == TEAM)
    return sum(c["cost_nano_usd"] for c in calls if begin <= datetime.fromisoformat(c["time"]) < end)


@given(instants)
def test_last_month_breaks_the_cap_and_this_one_leaves_exactly_so_much_whatever_day_it_is(now: datetime) -> None:
    played = list(days(now + timedelta(seconds=1)))
    assert spent(played, month_before(now), month_of(now)) > CAP_NANO_USD
    assert spent(played, month_of(now), now + timedelta(seconds=1)) == CAP_NANO_USD - LEFT_NANO_USD


@given(instants)
def test_days_follow_each_other_and_no_call_is_late_or_twice(now: datetime) -> None:
    played = list(days(now + timedelta(seconds=1)))
    assert [day.at for day in played] == sorted({day.at for day in played})
    calls = [call for day in played for call in day.calls]
    assert len({call["id"] for call in calls}) == len(calls) > 1000
    for day in played:
        assert all(day.at - timedelta(days=1) <= datetime.fromisoformat(c["time"]) <= day.at for c in day.calls)


def test_a_process_under_the_clock_believes_what_is_set_while_it_runs(tmp_path: Path) -> None:
    clock, at = Clock(tmp_path / "clock"), datetime(2031, 2, 3, tzinfo=UTC)
    asks = (
        "import time; from dev.demo_gate import under_clock; import sys; sys.argv = ['', 'tests.dev.asks_the_time']\n"
    )
    asks += "under_clock.run('tests.dev.asks_the_time', [])"
    process = subprocess.Popen(
        [sys.executable, "-c", asks], env={**os.environ, CLOCK_ENV: str(clock.path)}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    for expected in (datetime.now(UTC), at):
        if expected is at:
            clock.set(at)
        process.stdin.write("\n")
        process.stdin.flush()
        assert abs(datetime.fromtimestamp(float(process.stdout.readline()), UTC) - expected) < timedelta(seconds=60)
    process.communicate(timeout=120)
    clock.close()


def test_a_fact_that_was_not_observed_is_false() -> None:
    assert not Facts().all_hold()
    assert Facts(*[True] * len(Facts.__dataclass_fields__)).all_hold()
    assert not Facts(*[True] * (len(Facts.__dataclass_fields__) - 1)).all_hold()
