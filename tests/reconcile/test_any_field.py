"""Columns are compared, and whole decisions where these differ: whatever field of one is altered, it is found."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from spendgate.engine.staging import set_hash
from spendgate.model.decision import CODES, VERDICTS, Decision, Judged, Mark, Reason
from spendgate.reconcile.asked import Wanted
from spendgate.reconcile.run import reconcile
from tests.engine.evaluate import evaluate
from tests.engine.scenes import examples
from tests.reconcile.test_reconcile import kinds, write
from tests.strategies import Log, logs

replace = msgspec.structs.replace
KINDS = ("budget", "boundary", "review")
WORDS = {"verdict": VERDICTS, "code": CODES, "kind": KINDS, "stage": ("shadow", "enforced")}
Draw = st.DataObject


def another(data: Draw, field: str, value: Any) -> Any:
    """A value of a field that is not this one."""
    if field in WORDS:
        return data.draw(st.sampled_from([each for each in WORDS[field] if each != value]))
    if field.startswith(("window_", "reset_", "event_time")):
        moved = datetime(2026, 1, 1, tzinfo=UTC) if value is None else value + timedelta(microseconds=1)
        return data.draw(st.sampled_from([moved, *([None] if value is not None and field != "event_time" else [])]))
    if field == "alerts":
        return data.draw(st.sampled_from([each for each in ((), (1,), (*value, 99), value[1:]) if each != value]))
    if isinstance(value, int) or field.endswith("_nano_usd"):
        others = [0, 1, (value or 0) + 1, (value or 0) - 1, *([None] if field.endswith("_nano_usd") else [])]
        return data.draw(st.sampled_from([each for each in others if each != value]))
    may_be_absent = field in ("counter", "check_id") and value
    return data.draw(st.sampled_from(["x", f"{value}x", *([None] if may_be_absent else [])]))


def altered_reason(data: Draw, reason: Reason) -> Reason:
    field = data.draw(st.sampled_from(reason.__struct_fields__))
    return replace(reason, **{field: another(data, field, getattr(reason, field))})


def altered_reasons(data: Draw, reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """One altered, one left out, or one told twice."""
    if not reasons:
        return (Reason("p", "s", "shadow", 0, "review", "approve", "no_review"),)
    at = data.draw(st.integers(0, len(reasons) - 1))
    instead = data.draw(st.sampled_from([(altered_reason(data, reasons[at]),), (), (reasons[at], reasons[at])]))
    return (*reasons[:at], *instead, *reasons[at + 1 :])


def altered(data: Draw, decision: Decision) -> Decision:
    """The decision with one field of it another."""
    fields = [name for name in decision.__struct_fields__ if name not in ("tenant", "position", "decided_at")]
    field = data.draw(st.sampled_from([*fields, *["reasons"] * 6]))
    if field == "reasons":
        return replace(decision, reasons=altered_reasons(data, decision.reasons))
    if field == "judged":
        judged = decision.judged
        others = [Judged(judged.rules + 1, judged.set), Judged(judged.rules, "0" * 32)]
        return replace(decision, judged=data.draw(st.sampled_from(others)))
    if field == "marks":
        marks = [(), *((mark,) for mark in get_args(Mark)), ("unpriced", "late"), ("late", "late")]
        return replace(decision, marks=data.draw(st.sampled_from([m for m in marks if m != decision.marks])))
    return replace(decision, **{field: another(data, field, getattr(decision, field))})


@examples(40)
@given(logs(messages=10, documents=2), st.data())
def test_a_decision_of_which_any_field_is_altered_is_one_difference(log: Log, data: Draw) -> None:
    _, owed = evaluate(log.documents, [log.records])
    if not owed:
        return
    decisions = list(owed.values())
    at = data.draw(st.integers(0, len(decisions) - 1))
    tenant, is_staged = decisions[at].tenant, decisions[at].judged.set != set_hash(())
    decisions[at] = altered(data, decisions[at])
    with TemporaryDirectory() as folder:
        ledger = write(Path(folder), log.records, decisions)
        for each in ledger.tenants():
            found = reconcile(ledger, log.documents, Wanted(each))
            assert sum(calls for _, _, calls in kinds(found)) == (each == tenant and is_staged), found.differences
