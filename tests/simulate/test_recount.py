"""A simulation over a file says what the recount says of its events, and leaves a whole table of rows or none."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.ledger.readers import InputError, ReadOptions, read_events
from spendgate.model.canonical import policy_hash
from spendgate.model.decision import VERDICTS
from spendgate.model.event import Event
from spendgate.model.policy import Policy
from spendgate.simulate import history
from spendgate.simulate.rows import SCHEMA
from tests.engine.scenes import budget, call, examples, policy
from tests.oracle.documents import OracleDecision, OracleReason
from tests.simulate.drawn_files import Reading, events_of, matching, recount, simulate_file, write_events
from tests.strategies import Log, logs

ONE = policy(budget("2", {"lifetime": True}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("simulated")


def simulate(
    folder: Path, policies: Sequence[Policy], events: Sequence[Event]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The report, and the rows of the table."""
    path, rows = write_events(folder / "events.jsonl", events), folder / "rows.parquet"
    report = simulate_file(policies, path, rows)
    return report, pq.read_table(rows).to_pylist()


@given(log=logs(activations=False).filter(events_of))
@examples(50)
def test_totals_are_those_of_the_recount(folder: Path, log: Log) -> None:
    policies, events = list(log.documents.values()), events_of(log)
    expected = recount(policies, events)
    report, _ = simulate(folder, policies, events)
    history_found = report["history"]
    assert history_found["calls"] == len(expected)
    assert history_found["duplicates"] == sum(event.kind == "call" for event in events) - len(expected)
    assert history_found["annotations"] == sum(event.kind != "call" for event in events)
    assert history_found["refused_rows"] == 0
    calls_by: Counter[str] = Counter(decision.verdict for _, decision in expected)
    money: Counter[str] = Counter()
    for _, decision in expected:
        money[decision.verdict] += decision.cost_nano_usd or 0
    assert report["verdicts"]["closed"] == {
        verdict: {"calls": calls_by[verdict], "cost_nano_usd": money[verdict]} for verdict in VERDICTS
    }
    assert report["policies"] == [{"name": p.metadata.name, "version": policy_hash(p)} for p in policies]


@given(log=logs(activations=False).filter(events_of))
@examples(50)
def test_there_is_a_row_for_each_call_and_policy_that_says_anything(folder: Path, log: Log) -> None:
    policies, events = list(log.documents.values()), events_of(log)
    _, rows = simulate(folder, policies, events)
    expected = [
        (event.tenant, event.source, event.id, name, worst.verdict, worst.code, worst.used_before_nano_usd)
        for event, decision in recount(policies, events)
        for name, worst in worst_by_policy(decision).items()
    ]
    columns = ("tenant", "source", "event_id", "policy", "verdict", "code", "used_before_nano_usd")
    said = [tuple(row[name] for name in columns) for row in rows if row["code"] is not None]
    assert sorted(map(str, expected)) == sorted(map(str, said))
    assert all(row["version"] == policy_hash(p) for row in rows for p in policies if p.metadata.name == row["policy"])


def worst_by_policy(decision: OracleDecision) -> dict[str, OracleReason]:
    """Of each policy, the first of its worst reasons."""
    found: dict[str, OracleReason] = {}
    for reason in sorted(decision.reasons, key=lambda reason: -VERDICTS.index(reason.verdict)):
        found.setdefault(reason.policy, reason)
    return found


@given(log=logs(activations=False).filter(events_of))
@examples(30)
def test_every_policy_that_matches_a_call_has_one_row(folder: Path, log: Log) -> None:
    policies = list(log.documents.values())
    ordered = events_of(log)
    _, rows = simulate(folder, policies, ordered)
    expected = [
        (event.source, event.id, name) for event, _ in recount(policies, ordered) for name in matching(policies, event)
    ]
    assert Counter((row["source"], row["event_id"], row["policy"]) for row in rows) == Counter(expected)


@given(log=logs(activations=False).filter(events_of), size=st.integers(1, 7))
@examples(20)
def test_how_a_file_is_cut_into_chunks_changes_nothing(folder: Path, log: Log, size: int) -> None:
    policies, events = list(log.documents.values()), events_of(log)
    report, rows = simulate(folder, policies, events)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(history, "CHUNK", size)
        again, rows_again = simulate(folder, policies, events)
    assert again == report
    assert sorted(map(str, rows_again)) == sorted(map(str, rows))


def calls(count: int) -> list[Event]:
    return [call(timedelta(seconds=n), f"e{n}") for n in range(count)]


def test_what_cannot_be_read_is_counted_and_stops_nothing(tmp_path: Path) -> None:
    path = write_events(tmp_path / "events.jsonl", calls(3))
    path.write_bytes(b'{"prompt":"text"}\n{\n' + path.read_bytes() + b"7\n")
    report = simulate_file([ONE], path)
    assert (report["history"]["calls"], report["history"]["refused_rows"]) == (3, 3)


def test_a_table_of_no_calls_is_a_table(tmp_path: Path) -> None:
    path, rows = tmp_path / "events.jsonl", tmp_path / "rows.parquet"
    path.write_bytes(b"{}\n")
    assert simulate_file([ONE], path, rows)["history"]["calls"] == 0
    assert pq.read_table(rows).schema.equals(SCHEMA)
    assert pq.read_table(rows).num_rows == 0


class Stopped(BaseException):
    """What Ctrl-C raises is no Exception either."""


@pytest.mark.parametrize("error", [Stopped, KeyboardInterrupt, OSError, InputError])
@pytest.mark.parametrize("before", [None, b"what stood there"])
def test_an_interrupted_write_leaves_what_stood_there_and_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], before: bytes | None
) -> None:
    rows = tmp_path / "rows.parquet"
    if before is not None:
        rows.write_bytes(before)
    written: list[int] = []

    def broken(*_: object) -> Iterator[Event]:
        for event in calls(2 * history.CHUNK):
            written.append(1)
            yield event
        raise error

    monkeypatch.setattr(history, "open_reading", lambda *_: Reading(broken()))
    with pytest.raises(error):
        simulate_file([ONE], tmp_path / "events.jsonl", rows)
    assert len(written) == 2 * history.CHUNK
    assert [path.name for path in tmp_path.iterdir()] == ([] if before is None else ["rows.parquet"])
    assert before is None or rows.read_bytes() == before


def test_a_table_takes_its_name_only_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tmp_path / "rows.parquet"
    seen: list[bool] = []
    events = write_events(tmp_path / "events.jsonl", calls(3))

    def watched() -> Iterator[Event]:
        for event in read_events(events, ReadOptions()):
            seen.append(rows.exists())
            yield event

    monkeypatch.setattr(history, "open_reading", lambda *_: Reading(watched()))
    simulate_file([ONE], events, rows)
    assert seen == [False] * 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.jsonl", "rows.parquet"]


def test_a_file_is_whole_again_after_it_is_simulated_twice(tmp_path: Path) -> None:
    first = simulate(tmp_path, [ONE], calls(5))
    assert simulate(tmp_path, [ONE], calls(5)) == first
    assert first[0]["verdicts"]["closed"]["deny"] == {"calls": 3, "cost_nano_usd": 3 * 10**9}
