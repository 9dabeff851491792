"""A log may be cut at any record: what a checkpoint holds there is all that going on needs."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.engine.calls import Calls
from spendgate.engine.decisions import Source
from spendgate.ledger.activation_rows import checkpoint_batch_of
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.model.activation import Activation
from spendgate.model.policy import Policy
from spendgate.simulate import ledger_log
from spendgate.simulate.checkpoint import decode_state, encode_state
from spendgate.simulate.checkpoints import checkpoint_rows, latest
from spendgate.simulate.ledger_log import LedgerLog
from spendgate.simulate.replay import LogReplay, Step
from tests.engine.evaluate import AT, feed, new_replay
from tests.engine.scenes import examples
from tests.oracle.documents import Record
from tests.recorded import LOG, messages_of, record
from tests.strategies import Log, logs

SOURCE = Source("spend.events", *LOG)
NAMED = LOG
LOGS = logs(messages=14)
WRITTEN = examples(15)
"""A ledger on disk is written for each example."""


def steps_of(records: list[Record], tenant: str, stop: int) -> list[Step]:
    """A tenant's log before an offset, record by record."""
    found: list[Step] = []
    for each in records:
        if each.body.tenant != tenant or each.position.offset >= stop:
            continue
        if isinstance(each.body, Activation):
            found.append((each.body, each.received_at_ms))
        else:
            calls = Calls()
            calls.add_message(each.position.offset, each.received_at_ms, [each.position.index], [each.body])
            found.append(calls)
    return found


def opened(root: Path) -> LedgerLog:
    """The ledger's log as it is now."""
    return LedgerLog(Ledger.open(root), *NAMED)


@given(LOGS, st.data())
def test_a_replay_goes_on_from_any_cut_as_if_it_had_never_stopped(log: Log, data: st.DataObject) -> None:
    messages = messages_of(log.records)
    cut = data.draw(st.integers(0, len(messages)))
    before, after = messages[:cut], messages[cut:]
    whole = new_replay(log.documents)
    feed(whole, [record for message in before for record in message])
    resumed = LogReplay(SOURCE, log.documents, AT, lambda tenant, stop: steps_of(log.records, tenant, stop))
    for tenant in whole.tenants():
        resumed.restore(tenant, decode_state(encode_state(whole.state(tenant))))
    rest = [record for message in after for record in message]
    assert feed(resumed, rest) == feed(whole, rest)
    for tenant in whole.tenants():
        assert encode_state(resumed.state(tenant)) == encode_state(whole.state(tenant))


@given(LOGS)
def test_equal_states_have_equal_bytes_and_the_bytes_give_the_state_back(log: Log) -> None:
    replay = new_replay(log.documents)
    feed(replay, log.records)
    for tenant in replay.tenants():
        state = replay.state(tenant)
        read = decode_state(encode_state(state))
        assert read == state
        assert encode_state(read) == encode_state(state)


@pytest.mark.parametrize("rows", [2, 7, 50_000])
@WRITTEN
@given(log=LOGS)
def test_the_ledger_gives_a_log_back_as_it_was(log: Log, rows: int) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(ledger_log, "ROWS", rows)
        last = record(Path(folder), log.records)
        replay = replay_of(opened(Path(folder)), log.documents, last)
    whole = new_replay(log.documents)
    feed(whole, log.records)
    assert replay.tenants() == whole.tenants()
    for tenant in whole.tenants():
        assert encode_state(replay.state(tenant)) == encode_state(whole.state(tenant))


def replay_of(log: LedgerLog, documents: Mapping[str, Policy], last: int) -> LogReplay:
    replay = LogReplay(SOURCE, documents, AT)
    for stretch in log.stretches(0, last):
        if stretch.activation is not None:
            replay.pass_activation(stretch.activation, stretch.last, stretch.received_ms)
        for tenant, calls in stretch.calls.items():
            replay.judge(tenant, calls)
    return replay


@WRITTEN
@given(LOGS, st.data())
def test_a_checkpoint_made_from_the_one_before_is_the_replay_of_everything(log: Log, data: st.DataObject) -> None:
    messages = messages_of(log.records)
    cut = data.draw(st.integers(1, len(messages)))
    with TemporaryDirectory() as folder:
        root = Path(folder)
        for part in (messages[:cut], messages):
            last = record(root, [record for message in part for record in message])
            rows = checkpoint_rows(opened(root), SOURCE, log.documents, AT)
            if rows:
                LedgerTable(root).append("checkpoints", [checkpoint_batch_of(rows)], NAMED, last)
        found = latest(opened(root), last)
        assert found.offset == last
        assert checkpoint_rows(opened(root), SOURCE, log.documents, AT) == []
    whole = new_replay(log.documents)
    feed(whole, log.records)
    assert {row.tenant: row.state for row in found.rows} == {
        tenant: encode_state(whole.state(tenant)) for tenant in whole.tenants()
    }
