"""Policies do not see each other: one more, one less or another one changes nothing for the rest, bit for bit."""

from collections.abc import Mapping

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from spendgate.model.activation import Activation
from spendgate.model.decision import Reason
from spendgate.model.policy import Policy
from tests.engine.evaluate import Place, evaluate
from tests.engine.scenes import asking_for_all, examples
from tests.oracle.documents import Record
from tests.strategies import Log, logs, policies

SLOW = examples(15)
Seen = tuple[dict[Place, list[Reason]], dict[str, dict[str, int]]]


def ending_none(records: list[Record]) -> list[Record]:
    """The log, where no staging begins by ending others: what it ends is its own doing."""
    return [_changed(record, ends=[]) for record in records]


def without(records: list[Record], digest: str) -> list[Record]:
    """The log, where each staging of that policy is a void activation at the same place."""
    return [
        _changed(record, action="end", staging="unknown", policy=None, hash=None) if _stages(record, digest) else record
        for record in records
    ]


def _stages(record: Record, digest: str) -> bool:
    return isinstance(record.body, Activation) and record.body.hash == digest


def _changed(record: Record, **fields: object) -> Record:
    if not isinstance(record.body, Activation):
        return record
    return Record(record.position, record.received_at_ms, msgspec.structs.replace(record.body, **fields))


def seen_without(policy: str, policies: Mapping[str, Policy], records: list[Record]) -> Seen:
    """All reasons by place, and all cells by slot, save those of one policy."""
    replay, decisions = evaluate(policies, [records])
    reasons = {place: [r for r in found.reasons if r.policy != policy] for place, found in decisions.items()}
    cells: dict[str, dict[str, int]] = {}
    for tenant in replay.tenants():
        gone = {s.staging for s in replay.document(tenant).stagings if s.policy == policy}
        cells |= {slot: dict(sums) for slot, sums in replay.cells(tenant).items() if slot.split(" ")[1] not in gone}
    return reasons, cells


@given(log=logs(documents=3), data=st.data())
@SLOW
def test_a_policy_more_or_less_changes_nothing_for_the_others(log: Log, data: st.DataObject) -> None:
    digest = data.draw(st.sampled_from(sorted(log.documents)))
    name = log.documents[digest].metadata.name
    with_it = asking_for_all(ending_none(log.records))
    assert seen_without(name, log.documents, without(with_it, digest)) == seen_without(name, log.documents, with_it)


@given(log=logs(documents=3), data=st.data())
@SLOW
def test_what_a_policy_says_changes_nothing_for_the_others(log: Log, data: st.DataObject) -> None:
    digest = data.draw(st.sampled_from(sorted(log.documents)))
    name = log.documents[digest].metadata.name
    changed = {**log.documents, digest: data.draw(policies(name))}
    records = asking_for_all(log.records)
    assert seen_without(name, changed, records) == seen_without(name, log.documents, records)


@given(log=logs(documents=2))
@SLOW
def test_a_tenant_does_not_see_another_one(log: Log) -> None:
    mine = [record for record in log.records if record.body.tenant == "tenant-0"]
    together, found = evaluate(log.documents, [log.records])
    alone, expected = evaluate(log.documents, [mine])
    assert {place: d for place, d in found.items() if d.tenant == "tenant-0"} == expected
    assert together.cells("tenant-0") == alone.cells("tenant-0")
    assert together.document("tenant-0") == alone.document("tenant-0")
