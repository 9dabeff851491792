"""The engine and the independent recount agree on everything a decision says."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.evaluate import evaluate, place_of
from tests.oracle.documents import Record
from tests.oracle.oracle import Oracle
from tests.strategies import Log, batches, logs

SLOW = settings(suppress_health_check=[HealthCheck.too_slow])


@given(data=st.data(), log=logs())
@SLOW
def test_every_decision_is_that_of_the_recount(data: st.DataObject, log: Log) -> None:
    cut = data.draw(batches(log.records))
    _, decisions = evaluate(log.documents, cut)
    oracle = Oracle(log.documents)
    for record in log.records:
        expected = oracle.feed(record)
        found = decisions.pop(place_of(record), None)
        if expected is None:
            assert found is None, record
            continue
        assert found is not None, record
        assert found.verdict == expected.verdict
        assert found.marks == expected.marks
        assert found.cost_nano_usd == expected.cost_nano_usd
        assert found.check_id == expected.check_id
        assert found.judged.rules == expected.judged_rules
        assert len(found.reasons) == len(expected.reasons), (expected.reasons, found.reasons)
        for mine, theirs in zip(expected.reasons, found.reasons, strict=True):
            assert mine.differences(theirs) == {}
    assert decisions == {}


def whole(records: list[Record]) -> list[list[Record]]:
    """The log as one batch."""
    return [records]


@given(data=st.data(), log=logs())
@SLOW
def test_where_batches_are_cut_changes_nothing(data: st.DataObject, log: Log) -> None:
    once, expected = evaluate(log.documents, whole(log.records))
    again, found = evaluate(log.documents, data.draw(batches(log.records)))
    assert found == expected
    assert {t: again.cells(t) for t in again.tenants()} == {t: once.cells(t) for t in once.tenants()}
