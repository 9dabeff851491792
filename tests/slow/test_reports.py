"""A report says of random policies over random ledgers what a count by hand would, event by event and in every sum."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.model.decision import VERDICTS
from spendgate.model.event import Event
from spendgate.model.policy import Policy
from spendgate.simulate.job import Job, Source, run_job
from spendgate.simulate.run import Options
from tests.engine.scenes import examples
from tests.oracle.documents import to_instant
from tests.oracle.zones import HOUR_MS
from tests.simulate.drawn_files import events_of, write_events
from tests.slow.evaluator import NANO, Book, Said, WindowName, WindowRow, by_verdict, evaluate, kind_of
from tests.strategies import Log, logs

OWNERS = ("team", "employee", "customer", "workflow", "model", "vendor", "api_key_id")
DAY_MS = 24 * HOUR_MS


def has_calls(log: Log) -> bool:
    return any(event.kind == "call" for event in events_of(log))


LOGS = logs(activations=False, messages=30).filter(has_calls)
Verdicts = dict[str, tuple[int, Decimal]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


def both(
    folder: Path, log: Log, options: Options, rows: Path | None = None
) -> tuple[list[Policy], Book, dict[str, Any]]:
    """The count by hand, and the report."""
    policies, events = list(log.documents.values()), events_of(log)
    path = write_events(folder / "events.jsonl", events)
    report = run_job(Job(["spendgate"], policies, Source(events=path), options=options, decisions=rows))
    book = evaluate(policies, events, refuse_reviews=options.refuse_reviews, as_recorded=options.as_recorded)
    return policies, book, report


OPTIONS = st.builds(Options, st.booleans(), st.booleans())


@given(log=LOGS, options=OPTIONS)
@examples(25)
def test_every_event_gets_the_verdict_of_the_count_by_hand(folder: Path, log: Log, options: Options) -> None:
    rows = folder / "rows.parquet"
    policies, book, _ = both(folder, log, options, rows)
    names = [policy.metadata.name for policy in policies]
    expected = Counter(
        (said.call.tenant, said.call.source, said.call.id, names[look.policy], look.judgement.verdict)
        for said in book.said
        for look in said.looks
    )
    columns = ("tenant", "source", "event_id", "policy", "verdict")
    assert Counter(tuple(row[name] for name in columns) for row in pq.read_table(rows).to_pylist()) == expected


@given(log=LOGS, options=OPTIONS)
@examples(25)
def test_totals_are_those_of_the_count_by_hand(folder: Path, log: Log, options: Options) -> None:
    policies, book, report = both(folder, log, options)
    found = report["history"]
    assert (found["calls"], found["duplicates"], found["annotations"]) == (
        len(book.said), book.duplicates, book.annotations,
    )  # fmt: skip
    assert found["late"] == sum(said.late for said in book.said)
    assert found["unpriced_calls"] == sum(said.call.cost_nano_usd is None for said in book.said)
    assert (at(found["from"]), at(found["to"])) == (
        to_instant(book.first_ms), max(to_instant(_ms(said.call)) for said in book.said),
    )  # fmt: skip
    assert read(report["verdicts"]["closed"]) == by_verdict([(said.verdict, said.cost) for said in book.said])
    assert read(report["verdicts"]["open"]) == by_verdict([(said.open_verdict, said.cost) for said in book.said])
    for number in range(len(policies)):
        looks = [(look, said.cost) for said in book.said for look in said.looks if look.policy == number]
        row = report["by_policy"][number]
        assert row["looked"] == len(looks)
        assert read(row["closed"]) == by_verdict([(look.judgement.verdict, cost) for look, cost in looks])
        assert read(row["open"]) == by_verdict([(look.open_verdict, cost) for look, cost in looks])
    days = {row["day"]: read(row) for row in report["days"]}
    assert days == {
        to_instant(day * DAY_MS).date().isoformat(): by_verdict(
            [(said.verdict, said.cost) for said in book.said if said.judged_ms // DAY_MS == day]
        )
        for day in {said.judged_ms // DAY_MS for said in book.said}
    }


@given(log=LOGS, options=OPTIONS)
@examples(25)
def test_windows_are_those_of_the_count_by_hand(folder: Path, log: Log, options: Options) -> None:
    policies, book, report = both(folder, log, options)
    first = book.first_ms
    expected = [_window(policies, name, row, first) for name, row in book.windows.items()]
    assert sorted(map(str, report["windows"])) == sorted(map(str, expected))
    assert report["windows_total"] == len(expected)
    assert report["windows_breached"] == sum(row.over_calls > 0 for row in book.windows.values())
    assert report["windows_partial"] == sum(row["partial"] for row in expected)


def _window(policies: Sequence[Policy], name: WindowName, row: WindowRow, first_ms: int) -> dict[str, Any]:
    tenant, policy, rule, key, start, end = name
    budget = policies[policy].spec.rules[rule].budget
    assert budget is not None
    left = None
    if end is not None and row.first_breach_ms is not None:
        tenths = (end - row.first_breach_ms) * 10 // HOUR_MS
        left = f"{tenths // 10}.{tenths % 10}"
    return {
        "tenant": tenant, "policy": policies[policy].metadata.name, "rule": rule, "key": key,
        "kind": kind_of(budget), "start": said_at(start), "end": said_at(end),
        "partial": start is not None and start < first_ms, "cap_nano_usd": budget.cap_nano_usd,
        "used_nano_usd": int(row.used * NANO), "recorded_nano_usd": int(row.recorded * NANO), "calls": row.calls,
        "first_breach": said_at(row.first_breach_ms), "hours_left": left, "over_cap_calls": row.over_calls,
        "over_cap_nano_usd": int(row.over * NANO), "denied_calls": row.denied_calls,
    }  # fmt: skip


@given(log=LOGS, options=OPTIONS)
@examples(25)
def test_owners_and_outcomes_are_those_of_the_count_by_hand(folder: Path, log: Log, options: Options) -> None:
    _, book, report = both(folder, log, options)
    refused = {"deny", "review"} if options.refuse_reviews else {"deny"}
    for name in OWNERS:
        found = {row["value"]: row for row in report["owners"][name]}
        assert found.keys() == {getattr(said.call, name) for said in book.said}
        for value, row in found.items():
            mine = [said for said in book.said if getattr(said.call, name) == value]
            assert (row["calls"], Decimal(row["cost_nano_usd"]) / NANO) == counted(mine)
            assert read(row["closed"]) == by_verdict([(said.verdict, said.cost) for said in mine])
            assert row["lost_accepted"] == len(lost(mine, refused))
    outcomes = report["outcomes"]
    words = {said.call.outcome or "unstated" for said in book.said}
    for section, chosen in (("all", book.said), ("denied", [said for said in book.said if said.verdict in refused])):
        for word in words:
            mine = [said for said in chosen if (said.call.outcome or "unstated") == word]
            assert pair(outcomes[section][word]) == counted(mine)
        assert sum(each["calls"] for each in outcomes[section].values()) == len(chosen)
    evidence = Counter(said.call.evidence_status or "unstated" for said in book.said if said.verdict in refused)
    assert {word: n for word, n in outcomes["evidence_of_denied"].items() if n} == evidence
    spent = [said for said in book.said if said.verdict not in refused]
    assert outcomes["cost_per_accepted_nano_usd"] == {"before": each_costs(book.said), "after": each_costs(spent)}


@given(log=LOGS, options=OPTIONS)
@examples(15)
def test_reviews_and_missing_prices_are_those_of_the_count_by_hand(folder: Path, log: Log, options: Options) -> None:
    _, book, report = both(folder, log, options)
    reviewed = [said for said in book.said if said.verdict == "review"]
    found = report["reviews"]
    assert pair(found) == counted(reviewed)
    hours = Counter(said.judged_ms // HOUR_MS for said in reviewed)
    busiest = min(((-count, hour) for hour, count in hours.items()), default=None)
    assert found["busiest_hour"] == (
        None if busiest is None else {"start": said_at(busiest[1] * HOUR_MS), "calls": -busiest[0]}
    )
    unpriced = Counter((said.call.vendor, said.call.model) for said in book.said if said.call.cost_nano_usd is None)
    assert {(row["vendor"], row["model"]): row["calls"] for row in report["unpriced"]} == unpriced


def counted(said: Sequence[Said]) -> tuple[int, Decimal]:
    return len(said), sum((each.cost for each in said), Decimal(0))


def lost(said: Sequence[Said], refused: set[str]) -> list[Said]:
    return [each for each in said if each.verdict in refused and each.call.outcome == "accepted"]


def each_costs(said: Sequence[Said]) -> int | None:
    accepted = sum(each.call.outcome == "accepted" for each in said)
    return int(sum((each.cost for each in said), Decimal(0)) * NANO) // accepted if accepted else None


def read(found: dict[str, Any]) -> Verdicts:
    return {verdict: pair(found[verdict]) for verdict in VERDICTS}


def pair(found: dict[str, Any]) -> tuple[int, Decimal]:
    return found["calls"], Decimal(found["cost_nano_usd"]) / NANO


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def said_at(ms: int | None) -> str | None:
    return None if ms is None else to_instant(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ms(event: Event) -> int:
    return int(event.time.timestamp() * 1000)
