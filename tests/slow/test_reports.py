"""A report says of random policies over random ledgers what a count by hand would, event by event and in every sum."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.model.canonical import policy_hash
from spendgate.model.decision import VERDICTS
from spendgate.model.policy import Policy
from spendgate.simulate.run import Options
from spendgate.simulate.selection import Selection
from tests.engine.scenes import examples
from tests.oracle.documents import OracleReason, to_instant, to_ms
from tests.oracle.drawn_policies import Draw
from tests.oracle.zones import HOUR_MS
from tests.slow.drawn_ledgers import Drawn, ledgers
from tests.slow.evaluator import NANO, Look, Said, WindowName, WindowRow, by_verdict, kind_of, rule_hits
from tests.slow.reporting import OPTIONS, Both, Write, as_file, as_ledger, both, read, said_at

DAY_MS = 24 * HOUR_MS
WRITERS = pytest.mark.parametrize("write", [as_file, as_ledger], ids=["file", "ledger"])


@WRITERS
@given(drawn=ledgers(), options=OPTIONS)
@examples(20)
def test_every_event_gets_the_verdict_of_the_count_by_hand(write: Write, drawn: Drawn, options: Options) -> None:
    found = both(drawn, options, write, rows=True)
    expected = [
        _row(said, look, found, with_place=write is as_ledger) for said in found.book.said for look in said.looks
    ]
    assert sorted(map(str, found.rows)) == sorted(map(str, expected))


def _row(said: Said, look: Look, found: Both, *, with_place: bool) -> dict[str, Any]:
    """The row of a call and a policy: of the rule that decided, the first of the worst."""
    policy, call = found.policies[look.policy], said.call
    reasons = sorted(look.judgement.reasons, key=lambda reason: -VERDICTS.index(reason.verdict))
    place = found.records[said.place].position if with_place else None
    return {
        "tenant": call.tenant, "source": call.source, "event_id": call.id,
        "topic_id": place and place.topic, "partition": place and place.partition,
        "offset": place and place.offset, "index": place and place.index,
        "policy": policy.metadata.name, "version": policy_hash(policy), "staging": None,
        "verdict": look.judgement.verdict, **_decided(reasons[0] if reasons else None),
    }  # fmt: skip


def _decided(reason: OracleReason | None) -> dict[str, Any]:
    names = ("code", "used_before_nano_usd", "recorded_before_nano_usd", "limit_nano_usd", "window_start", "window_end")
    return {name: getattr(reason, name, None) for name in names}


@WRITERS
@given(drawn=ledgers(), options=OPTIONS)
@examples(20)
def test_totals_are_those_of_the_count_by_hand(write: Write, drawn: Drawn, options: Options) -> None:
    found = both(drawn, options, write)
    book, report = found.book, found.report
    times = [to_ms(said.call.time) for said in book.said]
    assert {name: report["history"][name] for name in ("calls", "duplicates", "annotations", "late")} == {
        "calls": len(book.said), "duplicates": book.duplicates, "annotations": book.annotations,
        "late": sum(said.late for said in book.said),
    }  # fmt: skip
    assert report["history"]["unpriced_calls"] == sum(said.call.cost_nano_usd is None for said in book.said)
    assert report["history"]["from"] == said_at(min(times, default=None))
    assert report["history"]["to"] == said_at(max(times, default=None))
    assert read(report["verdicts"]["closed"]) == by_verdict([(said.verdict, said.cost) for said in book.said])
    assert read(report["verdicts"]["open"]) == by_verdict([(said.open_verdict, said.cost) for said in book.said])
    assert {row["day"]: read(row) for row in report["days"]} == {
        to_instant(day * DAY_MS).date().isoformat(): by_verdict(
            [(said.verdict, said.cost) for said in book.said if said.judged_ms // DAY_MS == day]
        )
        for day in {said.judged_ms // DAY_MS for said in book.said}
    }


@given(drawn=ledgers(), options=OPTIONS)
@examples(20)
def test_policies_and_rules_are_those_of_the_count_by_hand(drawn: Drawn, options: Options) -> None:
    policies, _, book, report, _, _ = both(drawn, options)
    for number, row in enumerate(report["by_policy"]):
        looks = [(look, said.cost) for said in book.said for look in said.looks if look.policy == number]
        assert (row["policy"], row["looked"]) == (policies[number].metadata.name, len(looks))
        assert read(row["closed"]) == by_verdict([(look.judgement.verdict, cost) for look, cost in looks])
        assert read(row["open"]) == by_verdict([(look.open_verdict, cost) for look, cost in looks])
    names = [(policy.metadata.name, rule) for policy in policies for rule in range(len(policy.spec.rules))]
    assert [(row["policy"], row["rule"]) for row in report["rules"]] == names
    found = [{name: row[name] for name in ("looked", *VERDICTS)} for row in report["rules"]]
    assert found == rule_hits(policies, book)


@st.composite
def selections(draw: Draw, drawn: Drawn) -> Selection:
    """Some of the calls, with edges that fall on one of them."""
    times = st.none() | st.sampled_from([event.time for event in drawn.events])
    where = st.sampled_from([{}, {"team": "marketing"}, {"team": None, "vendor": "openai"}])
    return Selection(draw(times), draw(times), draw(where))


@WRITERS
@given(drawn=ledgers().filter(lambda drawn: drawn.records), options=OPTIONS, data=st.data())
@examples(30)
def test_of_what_is_chosen_a_report_says_what_the_count_by_hand_says(
    write: Write, drawn: Drawn, options: Options, data: st.DataObject
) -> None:
    chosen = data.draw(selections(drawn))
    found = both(drawn, options, write, selection=chosen)
    book, report = found.book, found.report
    assert {name: report["history"][name] for name in ("calls", "duplicates", "annotations")} == {
        "calls": len(book.said), "duplicates": book.duplicates, "annotations": book.annotations,
    }  # fmt: skip
    assert read(report["verdicts"]["closed"]) == by_verdict([(said.verdict, said.cost) for said in book.said])
    assert read(report["verdicts"]["open"]) == by_verdict([(said.open_verdict, said.cost) for said in book.said])
    assert report["windows_total"] == len(book.windows)
    outcomes = {word: sums["calls"] for word, sums in report["outcomes"]["all"].items() if sums["calls"]}
    assert outcomes == Counter(said.call.outcome or "unstated" for said in book.said)


@WRITERS
@given(drawn=ledgers(), options=OPTIONS)
@examples(20)
def test_windows_are_those_of_the_count_by_hand(write: Write, drawn: Drawn, options: Options) -> None:
    policies, _, book, report, _, _ = both(drawn, options, write)
    expected = [_window(policies, name, row, book.first_ms) for name, row in book.windows.items()]
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
