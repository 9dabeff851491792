"""``spendgate decisions``: each decision once, filtered, newest first to be kept."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from dev.stack import Stack
from spendgate.cli.decisions_feed import Feed, Wanted, newest
from spendgate.cli.decisions_table import why
from spendgate.cli.kafka_client import Producer
from spendgate.model.decision import VERDICTS, Decision, Judged, Position, Reason, Verdict, encode_decisions
from spendgate.model.money import NANO_PER_USD
from tests.cli.broker import Broker
from tests.cli.command import app

NOW = datetime(2026, 11, 5, 9, tzinfo=UTC)


def decision(number: int, verdict: Verdict = "approve", tenant: str = "acme", policy: str = "p") -> Decision:
    reason = Reason(
        policy=policy,
        staging="stg-1",
        stage="shadow",
        rule=0,
        kind="budget",
        verdict=verdict,
        code="within_budget" if verdict == "approve" else "over_cap",
        counter="team=legal",
        limit_nano_usd=NANO_PER_USD,
        used_before_nano_usd=NANO_PER_USD // 2,
        overage_nano_usd=0 if verdict == "approve" else NANO_PER_USD // 10,
    )
    return Decision(
        decision_id=f"{tenant}-{number}",
        tenant=tenant,
        source="app",
        event_id=f"c{number}",
        event_time=NOW,
        decided_at=NOW + timedelta(seconds=number),
        position=Position("spend.events", 0, number, 0),
        verdict=verdict,
        engine_version="1",
        cost_nano_usd=NANO_PER_USD * 6 // 10,
        judged=Judged(1, "0" * 32),
        reasons=(reason,),
    )


drawn = st.lists(
    st.builds(decision, st.integers(0, 30), st.sampled_from(VERDICTS), st.sampled_from(["a", "b"])),
    max_size=40,
)


def packed(found: list[Decision], sizes: Iterable[int]) -> list[bytes]:
    """Messages of one decision, or of an array of them."""
    messages, rest = [], found
    for size in sizes:
        part, rest = rest[:size], rest[size:]
        messages.append(encode_decisions(part[0] if len(part) == 1 else part))
    return [*messages, encode_decisions(rest)]


@given(drawn, st.lists(st.integers(1, 5), max_size=5))
def test_each_decision_is_shown_once_however_it_is_packed(found: list[Decision], sizes: list[int]) -> None:
    shown = list(Feed(Wanted()).take(packed(found, sizes)))
    assert [one.decision_id for one in shown] == list(dict.fromkeys(one.decision_id for one in found))


@given(drawn, st.sets(st.sampled_from(VERDICTS), min_size=1), st.sampled_from(["a", "b"]))
def test_a_filter_lets_through_what_it_names(found: list[Decision], verdicts: set[Verdict], tenant: str) -> None:
    shown = list(Feed(Wanted(frozenset(verdicts), "p", tenant)).take([encode_decisions(found)]))
    assert all(one.verdict in verdicts and one.tenant == tenant for one in shown)
    wanted = {one.decision_id for one in found if one.verdict in verdicts and one.tenant == tenant}
    assert {one.decision_id for one in shown} == wanted


def test_a_policy_is_found_by_the_reasons() -> None:
    both = encode_decisions([decision(1, policy="p"), decision(2, policy="q")])
    assert [one.event_id for one in Feed(Wanted(policy="q")).take([both])] == ["c2"]


def test_the_memory_of_repeats_is_bounded() -> None:
    feed = Feed(Wanted(), remembered=10)
    stream = [encode_decisions([decision(number) for number in range(first, first + 5)]) for first in range(50)]
    assert len(list(feed.take(stream))) == 54
    assert len(list(feed.take([encode_decisions(decision(0))]))) == 1


@pytest.mark.parametrize("bad", [None, b"", b" ", b"{}", b"[1]", b"[" * 100_000])
def test_what_is_no_decision_is_counted_and_passed_over(bad: bytes | None) -> None:
    feed = Feed(Wanted())
    assert len(list(feed.take([bad, encode_decisions(decision(1))]))) == 1
    assert feed.unreadable == 1


@given(drawn, st.integers(1, 50))
def test_the_newest_are_kept_in_their_order(found: list[Decision], limit: int) -> None:
    kept = [one.decided_at for one in newest(found, limit)]
    assert kept == sorted(one.decided_at for one in found)[-limit:]


def test_reasons_that_did_not_approve_come_before_those_that_did() -> None:
    assert why(decision(1, "deny")) == "p: over the cap of $1.00 for team=legal in all (used $0.50, call $0.60)"
    assert why(decision(1)) == "p: within the cap of $1.00 for team=legal in all (used $0.50, call $0.60)"


@pytest.fixture
def broker(stack: Stack) -> Broker:
    """A broker that holds 30 decisions of two tenants, three of them denials, each of them twice."""
    broker = Broker(stack.bootstrap)
    topic = broker.topics.decisions.name
    with Producer(stack.bootstrap, 20, lambda line: None) as producer:
        for tenant in ("acme", "beta", "acme", "beta"):
            found = [decision(n, "approve" if n % 10 else "deny", tenant) for n in range(15)]
            producer.wait([producer.send(topic, tenant.encode(), raw) for raw in packed(found, [1, 5])])
    return broker


def ids(broker: Broker, *args: str) -> list[str]:
    ran = CliRunner().invoke(app, ["decisions", "--json", *args], env=broker.env)
    assert ran.exit_code == 0, ran.stderr
    return [json.loads(line)["decision_id"] for line in ran.stdout.splitlines()]


def test_json_is_one_decision_a_line(broker: Broker) -> None:
    assert sorted(ids(broker)) == sorted(f"{tenant}-{n}" for tenant in ("acme", "beta") for n in range(15))


def test_filters_and_the_limit_work_together(broker: Broker) -> None:
    assert ids(broker, "--tenant", "beta", "--verdict", "deny") == ["beta-0", "beta-10"]
    assert ids(broker, "--tenant", "beta", "--limit", "2") == ["beta-13", "beta-14"]
    assert ids(broker, "--policy", "nobody") == []


def test_following_ends_at_the_limit(broker: Broker) -> None:
    assert len(ids(broker, "--follow", "--limit", "7")) == 7


def test_a_table_says_why(broker: Broker) -> None:
    ran = CliRunner().invoke(app, ["decisions", "--verdict", "deny"], env=broker.env)
    assert ran.exit_code == 0, ran.stderr
    assert "decisions: 4 deny" in ran.stdout
    assert ran.stdout.count("p: over the cap of $1.00 for team=legal") == 4
