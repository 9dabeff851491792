"""What a report adds on request: comparison, lint with traffic, a timeline, other prices, and who pays for a queue."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from spendgate.ledger.delta_import import import_events
from spendgate.ledger.readers import InputError
from spendgate.model.event import Event
from spendgate.model.policy import Policy
from spendgate.prices.book import PriceBook
from spendgate.simulate.job import Job, Source, parse_where, run_job
from spendgate.simulate.review_queue import Reviewers
from spendgate.simulate.run import Options
from spendgate.simulate.selection import Selection
from tests.engine.scenes import budget, call, correction, policy
from tests.simulate.drawn_files import write_events

USD = 10**9
DAY = {"calendar": "day", "timezone": "UTC"}
TWO_A_DAY = policy(budget("2", DAY, per=["team"]))


def calls(count: int, **fields: Any) -> list[Event]:
    return [call(timedelta(minutes=n), f"{fields.get('team', 'e')}-{n}", **fields) for n in range(count)]


def report(tmp_path: Path, events: list[Event], *policies: Policy, **job: Any) -> dict[str, Any]:
    path = write_events(tmp_path / "events.jsonl", events)
    return run_job(Job(["spendgate", "simulate"], policies, Source(events=path), **job))


def test_a_comparison_counts_the_calls_whose_verdict_changes(tmp_path: Path) -> None:
    looser = policy(budget("3", DAY, per=["team"]), name="looser")
    found = report(tmp_path, calls(5, team="red"), TWO_A_DAY, against=[looser])["compare"]
    assert found["changed"] == [{"from": "deny", "to": "approve", "calls": 1, "cost_nano_usd": USD}]
    assert {"field": "team", "value": "red", "calls": 1, "cost_nano_usd": USD} in found["owners"]


def test_comparing_a_policy_with_itself_changes_nothing(tmp_path: Path) -> None:
    assert report(tmp_path, calls(5, team="red"), TWO_A_DAY, against=[TWO_A_DAY])["compare"]["changed"] == []


def test_lint_names_rules_that_matched_nothing_never_bound_or_changed_nothing(tmp_path: Path) -> None:
    idle = policy(budget("2", DAY), name="idle", scope={"team": ["rad"]})
    ample = policy(budget("900", DAY), name="ample")
    doubled = policy(budget("2", DAY), budget("2", DAY), name="doubled")
    found = report(tmp_path, calls(5, team="red"), idle, ample, doubled, with_lint=True)["lint"]
    codes = {(each["policy"], each["rule"], each["code"]) for each in found}
    assert ("idle", 0, "matched_nothing") in codes
    assert ("idle", None, "no_such_value") in codes
    assert ("ample", 0, "never_bound") in codes
    assert {("doubled", 0, "needless"), ("doubled", 1, "needless")} <= codes
    assert not any(each == ("doubled", 0, "never_bound") for each in codes)
    assert next(each["words"] for each in found if each["code"] == "no_such_value").endswith("is red")


def test_a_needed_rule_is_not_called_needless(tmp_path: Path) -> None:
    two = policy(budget("5", DAY), budget("1", DAY, per=["team"]), name="two")
    events = [*calls(3, team="red"), *calls(3, team="blue")]
    found = report(tmp_path, sorted(events, key=lambda e: e.time), two, with_lint=True)["lint"]
    assert [each for each in found if each["code"] == "needless" and each["rule"] == 1] == []


def test_a_timeline_ends_at_the_sums_of_its_window(tmp_path: Path) -> None:
    found = report(tmp_path, calls(5, team="red"), TWO_A_DAY, with_timeline=True)
    line, window = found["timeline"], found["windows"][0]
    assert line["key"] == window["key"] == "team=red"
    assert line["points"][-1]["recorded_nano_usd"] == window["recorded_nano_usd"] == 5 * USD
    assert line["points"][-1]["admitted_nano_usd"] == window["used_nano_usd"] == 2 * USD


def test_without_a_breach_there_is_no_timeline(tmp_path: Path) -> None:
    assert report(tmp_path, calls(1, team="red"), TWO_A_DAY, with_timeline=True)["timeline"] is None


def test_a_correction_counts_unless_the_log_is_taken_as_recorded(tmp_path: Path) -> None:
    events = [*calls(2, team="red"), correction(timedelta(hours=1), "red-0", 5 * USD)]
    later = report(tmp_path, events, TWO_A_DAY)["verdicts"]["closed"]
    plain = report(tmp_path, events, TWO_A_DAY, options=Options(as_recorded=True))["verdicts"]["closed"]
    assert (later["deny"]["calls"], later["deny"]["cost_nano_usd"]) == (1, 5 * USD)
    assert plain["deny"]["calls"] == 0


def test_what_is_left_out_is_as_if_it_had_never_been(tmp_path: Path) -> None:
    events = sorted([*calls(4, team="red"), *calls(4, team="blue")], key=lambda e: e.time)
    only = report(tmp_path, events, policy(budget("2", DAY)), selection=Selection(where=parse_where(["team=red"])))
    assert only["history"]["calls"] == 4
    assert only["verdicts"]["closed"]["deny"]["calls"] == 2
    assert [each["value"] for each in only["owners"]["team"]] == ["red"]


def test_an_interval_is_half_open(tmp_path: Path) -> None:
    events = calls(4, team="red")
    chosen = Selection(from_=events[1].time, to=events[3].time)
    assert report(tmp_path, events, TWO_A_DAY, selection=chosen)["history"]["calls"] == 2


@pytest.mark.parametrize("pair", ["team", "nonsense=1", "team="])
def test_a_wrong_where_is_told(pair: str) -> None:
    with pytest.raises(InputError, match="where: expected"):
        parse_where([pair])


def test_an_unknown_price_is_listed_and_never_zero(tmp_path: Path) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    events = [
        *calls(2, team="red", vendor="openai", model="gpt-4o", input_tokens=1_000_000, output_tokens=0),
        *calls(1, team="blue", vendor="acme", model="own-1", input_tokens=1000, output_tokens=0),
    ]
    found = report(tmp_path, sorted(events, key=lambda e: e.time), TWO_A_DAY, prices=(PriceBook.load(), at))
    assert found["history"]["unpriced_calls"] == 1
    assert found["unpriced"] == [{"vendor": "acme", "model": "own-1", "calls": 1}]
    changed = {each["model"]: each for each in found["prices"]["by_model"]}
    assert changed["gpt-4o"]["calls"] == 2
    assert changed["gpt-4o"]["before_nano_usd"] == 2 * USD
    assert found["prices"]["hash"] == PriceBook.load().hash


def test_reviewers_get_a_queue(tmp_path: Path) -> None:
    reviewed = policy(budget("0", DAY, on_breach="review"))
    found = report(tmp_path, calls(5), reviewed, reviewers=Reviewers(1, 10))["reviews"]
    assert found["calls"] == 5
    assert found["busiest_hour"]["calls"] == 5
    assert found["queue"]["longest_wait_minutes"] == 36


def test_a_ledger_and_a_file_of_the_same_events_give_the_same_figures(tmp_path: Path) -> None:
    events = sorted([*calls(9, team="red"), *calls(7, team="blue")], key=lambda e: e.time)
    events.append(correction(timedelta(hours=2), "red-0", 5 * USD))
    events.append(events[3])
    import_events(tmp_path / "ledger", events, "0" * 64)
    job = Job(["spendgate", "simulate"], [TWO_A_DAY], Source(ledger=str(tmp_path / "ledger")))
    ours, theirs = run_job(job), report(tmp_path, events, TWO_A_DAY)
    assert ours.pop("source")["kind"] == "ledger"
    theirs.pop("source")
    assert ours == theirs
    assert ours["history"]["duplicates"] == 1
