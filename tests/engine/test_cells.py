"""What the engine asks a store to keep is what the recount counts, and is all that later verdicts need."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from spendgate.engine.calls import Calls
from spendgate.engine.counters import MAX_SUM
from spendgate.engine.names import NEVER
from spendgate.engine.tenant import Tenant
from spendgate.engine.windows import BLOCK
from spendgate.model.decision import Decision
from spendgate.model.policy import Policy, RollingWindow
from spendgate.simulate.replay import LogReplay
from tests.engine.evaluate import Place, evaluate, feed, new_replay
from tests.engine.scenes import call, examples, judge_of, policy, readable_cells
from tests.oracle.documents import to_ms
from tests.oracle.oracle import Oracle
from tests.oracle.windows import last_read_ms
from tests.strategies import Log, batches, budgets, logs

SLOW = examples(20)


@given(data=st.data(), log=logs())
@SLOW
def test_the_cells_are_those_of_the_recount(data: st.DataObject, log: Log) -> None:
    replay, _ = evaluate(log.documents, data.draw(batches(log.records)))
    oracle = Oracle(log.documents)
    for record in log.records:
        oracle.feed(record)
    assert readable_cells(replay, log.documents) == oracle.counters(readable_only=True)


@given(log=logs())
@SLOW
def test_no_cell_is_negative_and_none_admits_more_than_was_recorded(log: Log) -> None:
    replay, _ = evaluate(log.documents, [log.records])
    for tenant in replay.tenants():
        for fields in replay.cells(tenant).values():
            assert all(0 <= value <= MAX_SUM for value in fields.values())
            for name, admitted in fields.items():
                if name.startswith("a"):
                    assert admitted <= fields[f"r{name[1:]}"]


@given(data=st.data(), log=logs())
@SLOW
def test_a_rolling_slot_holds_the_total_of_its_buckets(data: st.DataObject, log: Log) -> None:
    replay, _ = evaluate(log.documents, data.draw(batches(log.records)))
    for tenant in replay.tenants():
        for fields in replay.cells(tenant).values():
            totals = {name: value for name, value in fields.items() if name[0] in "AR" and value}
            sums: dict[str, int] = {}
            for name, value in fields.items():
                if name[0] in "ar":
                    total = f"{name[0].upper()} {name.split(' ', 1)[1]}"
                    sums[total] = sums.get(total, 0) + value
            if totals:
                assert totals == {name: min(value, MAX_SUM) for name, value in sums.items() if value}


def forget(replay: LogReplay, policies: dict[str, Policy]) -> None:
    """Let every tenant start again from what a store would still have: document, readable cells, identities."""
    for tenant in replay.tenants():
        past = replay._presents[tenant]
        document = replay.document(tenant)
        past.cells = {slot: dict(fields) for slot, fields in replay.cells(tenant).items()}
        past.known = {identity: hour for identity, hour in past.known.items() if hour in document.hours}
        past.judge = Tenant(tenant, document, policies)


@given(data=st.data(), log=logs())
@SLOW
def test_a_restart_from_what_is_stored_changes_no_decision(data: st.DataObject, log: Log) -> None:
    _, expected = evaluate(log.documents, [log.records])
    replay = new_replay(log.documents)
    found: dict[Place, Decision] = {}
    for batch in data.draw(batches(log.records)):
        found |= feed(replay, batch)
        forget(replay, log.documents)
    assert found == expected


@given(drawn=budgets(), at=st.integers(0, 4 * 366 * 24 * 60))
@examples(50)
def test_a_slot_is_kept_until_the_last_window_that_reads_it_has_ended(drawn: dict[str, Any], at: int) -> None:
    judge = judge_of(policy({"budget": drawn}))
    event = call(timedelta(minutes=at), "e")
    batch = Calls()
    batch.add_message(0, to_ms(event.time), [0], [event])
    judge.prepare(batch)
    window = judge.program.rule(0).budget.window  # type: ignore[union-attr]
    for number in range(judge.slots):
        start = judge.counters.slot(number).window
        last = BLOCK * start + BLOCK - 1 if isinstance(window, RollingWindow) else start
        assert judge.names.slot(number)[1] == (last_read_ms(window, last) or NEVER)
    assert judge.slots == (16 if isinstance(window, RollingWindow) else 1)
