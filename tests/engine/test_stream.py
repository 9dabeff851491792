"""The run over columns says of every call what the kernel of the live path says."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spendgate.engine.calls import Calls
from spendgate.engine.columns import Names
from spendgate.engine.decisions import Source
from spendgate.engine.stream import NotStreamable, StreamJudge, stagings_of
from spendgate.engine.stream_exact import ExactJudge
from spendgate.ledger.columns import EVENTS
from spendgate.model.activation import Activation
from spendgate.model.decision import VERDICTS
from spendgate.model.event import Event
from spendgate.model.policy import Policy
from spendgate.simulate.arrow_columns import columns_of, identities_of
from spendgate.simulate.replay import LogReplay
from tests.engine.evaluate import AT
from tests.oracle.documents import Record
from tests.strategies import Log, batches, logs

SLOW = settings(suppress_health_check=[HealthCheck.too_slow])

Answers = dict[int, tuple[str, dict[str, str]]]


def batch_of(records: Sequence[Record]) -> pa.RecordBatch:
    rows = []
    for record in records:
        row = {name: getattr(record.body, name, None) for name in EVENTS.names}
        rows.append(row | {"duplicate": False, "received_at": record.received_at_ms})
    columns = [pa.array([row[name] for row in rows], EVENTS.field(name).type) for name in EVENTS.names]
    return pa.RecordBatch.from_arrays(columns, schema=EVENTS)


def replayed(
    policies: Sequence[Policy], tenant: str, records: Sequence[Record]
) -> dict[int, tuple[str, dict[str, str]]]:
    """By place in ``records``: the verdict, and each policy's worst listed one."""
    stagings, documents = stagings_of(policies)
    replay = LogReplay(Source("log", "id", 0), documents, AT)
    for staging in stagings:
        begun = Activation(kind="activation", id=staging.staging, tenant=tenant, time=AT, action="stage",
                           staging=staging.staging, policy=staging.policy, hash=staging.hash)  # fmt: skip
        replay.pass_activation(begun, staging.offset, records[0].received_at_ms)
    found: Answers = {}
    for at, record in enumerate(records):
        calls = Calls()
        assert isinstance(record.body, Event)
        calls.add_message(at, record.received_at_ms, [0], [record.body])
        for decision in replay.pass_calls(tenant, calls):
            worst: dict[str, str] = {}
            for reason in decision.reasons:
                worst[reason.staging] = max(worst.get(reason.staging, "approve"), reason.verdict, key=VERDICTS.index)
            found[at] = (decision.verdict, worst)
    return found


@given(data=st.data(), log=logs())
@SLOW
def test_verdicts_of_a_run_over_columns_are_those_of_the_live_path(data: st.DataObject, log: Log) -> None:
    records = [r for r in log.records if isinstance(r.body, Event)]
    tenant = data.draw(st.sampled_from(sorted({r.body.tenant for r in records}) or ["acme"]))
    records = [r for r in records if r.body.tenant == tenant]
    policies = list(log.documents.values())
    if not records or not policies:
        return
    expected = replayed(policies, tenant, records)
    judge = StreamJudge(policies)
    at = 0
    for cut in data.draw(batches(records)):
        batch = batch_of(cut)
        try:
            judged = judge.judge(columns_of(batch, judge.names), identities_of(batch))
        except NotStreamable:
            return
        for place in range(len(cut)):
            worst = int(judged.worst[place])
            if worst < 0:
                assert at + place not in expected
                continue
            verdict, by_policy = expected.pop(at + place)
            assert VERDICTS[worst] == verdict
            for number in range(len(policies)):
                mine = int(judged.by_policy[number, place])
                theirs = by_policy.get(f"simulated-{number}", "approve")
                assert VERDICTS[max(mine, 0)] == theirs
        at += len(cut)
    assert expected == {}


def test_names_keep_their_numbers_from_batch_to_batch() -> None:
    names = Names()
    first = names.numbers(np.array([0, 1, 2]), ["a", "b", None])
    again = names.numbers(np.array([1, 0, 2]), ["b", "a", None])
    assert [names.values[n] for n in first] == ["a", "b", None]
    assert [names.values[n] for n in again] == ["a", "b", None]


@given(data=st.data(), log=logs(), refuse=st.booleans())
@SLOW
def test_both_kernels_of_a_run_find_the_same(data: st.DataObject, log: Log, refuse: bool) -> None:
    records = [r for r in log.records if isinstance(r.body, Event) and r.body.tenant == log.records[0].body.tenant]
    policies = list(log.documents.values())
    fast, exact = StreamJudge(policies, refuse_reviews=refuse), ExactJudge(policies, refuse_reviews=refuse)
    exact.max_slots = data.draw(st.sampled_from([1, 40, 10_000]))
    for cut in data.draw(batches(records)):
        batch = batch_of(cut)
        theirs = exact.judge(columns_of(batch, exact.names), identities_of(batch))
        try:
            mine = fast.judge(columns_of(batch, fast.names), identities_of(batch))
        except NotStreamable:
            return
        for one, other in zip(mine[:3], theirs[:3], strict=True):
            assert np.array_equal(one, other)
    assert set(fast.rows()) == set(exact.rows())
    assert np.array_equal(fast.totals, exact.totals)
    assert np.array_equal(fast.rule_hits, exact.rule_hits)
