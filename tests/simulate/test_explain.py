"""An explanation says of a call what the simulation says of it, rule by rule."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.ledger.reader_problem import InputError
from spendgate.ledger.readers import ReadOptions
from spendgate.model.policy import Policy
from spendgate.simulate.explain import explain, find
from spendgate.simulate.history import FileHistory
from spendgate.simulate.rule_words import LATE_WORDS
from spendgate.simulate.run import Options
from spendgate.simulate.selection import Selection
from tests.engine.scenes import budget, call, correction, examples, policy
from tests.simulate.drawn_files import events_of, simulate_file, write_events
from tests.strategies import Log, logs

AS_RECORDED = Options(as_recorded=True)
CAPPED = policy(budget("2", {"lifetime": True}))
SUMS = ("used_before_nano_usd", "recorded_before_nano_usd", "limit_nano_usd")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("explained")


def history_of(path: Path, tenant: str | None = None) -> FileHistory:
    selection = Selection(where={} if tenant is None else {"tenant": tenant})
    return FileHistory(path, ReadOptions(), selection)


def has_calls(log: Log) -> bool:
    return any(event.kind == "call" for event in events_of(log))


def explained(path: Path, policies: Sequence[Policy], row: dict[str, Any]) -> dict[str, Any]:
    wanted = find(history_of(path), row["event_id"], row["source"], row["tenant"])
    return explain(policies, history_of(path, wanted.tenant), wanted, AS_RECORDED)


@given(log=logs(activations=False).filter(events_of), data=st.data())
@examples(60)
def test_the_rule_that_decided_and_its_sums_are_those_of_the_row(folder: Path, log: Log, data: st.DataObject) -> None:
    policies, path, out = list(log.documents.values()), folder / "events.jsonl", folder / "rows.parquet"
    simulate_file(policies, write_events(path, events_of(log)), out)
    told = Counter((event.tenant, event.source, event.id) for event in events_of(log) if event.kind == "call")
    rows = [row for row in pq.read_table(out).to_pylist() if told[row["tenant"], row["source"], row["event_id"]] == 1]
    if not rows:
        return
    drawn = data.draw(st.sampled_from(rows))
    same = [row for row in rows if all(row[name] == drawn[name] for name in ("tenant", "source", "event_id"))]
    explanation = explained(path, policies, drawn)
    for row in same:
        (found,) = [each for each in explanation["policies"] if each["policy"] == row["policy"]]
        (decided,) = [rule for rule in found["rules"] if rule["decided"]]
        assert found["verdict"] == row["verdict"]
        assert decided.get("code") == row["code"]
        if row["limit_nano_usd"] is not None:
            assert [decided.get(name) for name in SUMS] == [row[name] for name in SUMS]
        assert (decided["words"] == LATE_WORDS) is (row["code"] is None)


@given(log=logs(activations=False).filter(has_calls), data=st.data())
@examples(40)
def test_every_policy_and_rule_is_there_once_and_the_worst_is_the_verdict(
    folder: Path, log: Log, data: st.DataObject
) -> None:
    policies, path = list(log.documents.values()), folder / "events.jsonl"
    write_events(path, events_of(log))
    event = data.draw(st.sampled_from([each for each in events_of(log) if each.kind == "call"]))
    told = explained(path, policies, {"event_id": event.id, "source": event.source, "tenant": event.tenant})
    order = ["approve", "warn", "review", "deny"]
    assert [each["policy"] for each in told["policies"]] == [each.metadata.name for each in policies]
    looked = [each["verdict"] for each in told["policies"] if each["verdict"] is not None]
    assert told["verdict"] == max(looked, key=order.index, default="approve")
    for each, document in zip(told["policies"], policies, strict=True):
        if each["verdict"] is None:
            assert each["rules"] == []
            assert each["words"].startswith("not in scope: ")
        else:
            assert [rule["rule"] for rule in each["rules"]] == list(range(len(document.spec.rules)))


def test_sums_are_those_just_before_the_call(tmp_path: Path) -> None:
    path = write_events(tmp_path / "e.jsonl", [call(timedelta(seconds=n), f"e{n}", cost=750_000_000) for n in range(4)])
    told = explain([CAPPED], history_of(path), find(history_of(path), "e2"), AS_RECORDED)
    (rule,) = told["policies"][0]["rules"]
    assert (told["verdict"], rule["code"]) == ("deny", "over_cap")
    assert [rule[name] for name in SUMS] == [1_500_000_000, 1_500_000_000, 2_000_000_000]
    assert "over the cap of $2.00" in rule["words"]


def test_what_the_scope_leaves_out_is_named(tmp_path: Path) -> None:
    path = write_events(tmp_path / "e.jsonl", [call(timedelta(0), "e0", team="research")])
    scoped = policy(budget("2", {"lifetime": True}), scope={"team": ["marketing", "sales"]})
    told = explain([scoped], history_of(path), find(history_of(path), "e0"), AS_RECORDED)
    assert told["policies"][0]["words"] == ("not in scope: team is research, the policy looks at marketing, sales")


def test_an_unknown_id_an_annotation_and_an_ambiguous_id_are_told_apart(tmp_path: Path) -> None:
    calls = [call(timedelta(0), "e0"), msgspec.structs.replace(call(timedelta(seconds=1), "e0"), source="other")]
    outcome = call(timedelta(0), "o0", None, kind="outcome", refers_to="e0", outcome="accepted")
    path = write_events(tmp_path / "e.jsonl", [*calls, outcome])
    with pytest.raises(InputError, match="no call of this id"):
        find(history_of(path), "e9")
    with pytest.raises(InputError, match=r"an annotation \(outcome\) to a call: explain e0"):
        find(history_of(path), "o0")
    with pytest.raises(InputError, match="--source"):
        find(history_of(path), "e0")
    assert find(history_of(path), "e0", "other").source == "other"


def test_a_correction_and_an_outcome_that_came_later_are_told(tmp_path: Path) -> None:
    first = call(timedelta(0), "e0")
    fix = correction(timedelta(seconds=1), "e0", 3_000_000_000)
    ended = call(timedelta(seconds=2), "o0", None, kind="outcome", refers_to="e0", outcome="rejected")
    path = write_events(tmp_path / "e.jsonl", [first, fix, ended])
    told = explain([CAPPED], history_of(path), find(history_of(path), "e0"), Options())
    assert (told["verdict"], told["corrected_from_nano_usd"], told["cost_nano_usd"]) == (
        "deny", 1_000_000_000, 3_000_000_000,
    )  # fmt: skip
    assert told["event"]["outcome"] == "rejected"
    assert explain([CAPPED], history_of(path), find(history_of(path), "e0"), AS_RECORDED)["verdict"] == "approve"
