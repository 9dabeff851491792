"""The compiled kernel and the same source run as plain Python agree on every field."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.engine import decide, jit, plan, table
from spendgate.engine.counters import MAX_SUM
from spendgate.model.decision import Decision
from spendgate.model.policy import Policy
from tests.engine.evaluate import Place, evaluate
from tests.engine.plain import plain
from tests.engine.scenes import TENANT, budget, call, examples, log_of, policy, staged
from tests.golden_cases import Case, load_cases
from tests.oracle.documents import Record
from tests.strategies import Log, batches, logs, policy_hash

Answer = tuple[dict[Place, Decision], dict[str, dict[str, dict[str, int]]]]


def compiled(policies: Mapping[str, Policy], cut: Sequence[Sequence[Record]]) -> Answer:
    replay, decisions = evaluate(policies, cut)
    return decisions, {tenant: dict(replay.cells(tenant)) for tenant in replay.tenants()}  # type: ignore[arg-type]


def interpreted(policies: Mapping[str, Policy], cut: Sequence[Sequence[Record]]) -> Answer:
    replay, decisions = plain("tests.engine.evaluate").evaluate(policies, cut)
    return decisions, {tenant: dict(replay.cells(tenant)) for tenant in replay.tenants()}


@pytest.mark.parametrize(("module", "kernel"), [(decide, "_decide"), (plan, "_plan"), (table, "find_or_add")])
def test_one_copy_is_compiled_and_the_other_is_not(module: object, kernel: str) -> None:
    assert hasattr(getattr(module, kernel), "py_func") == jit.ENABLED
    assert not hasattr(getattr(plain(module.__name__), kernel), "py_func")  # type: ignore[attr-defined]


@given(data=st.data(), log=logs())
@examples(25)
def test_a_drawn_log_is_judged_alike(data: st.DataObject, log: Log) -> None:
    cut = data.draw(batches(log.records))
    assert interpreted(log.documents, cut) == compiled(log.documents, cut)


@pytest.mark.parametrize("case", load_cases(), ids=lambda case: case.case)
def test_a_golden_case_is_judged_alike(case: Case) -> None:
    cut = [case.records()]
    assert interpreted(case.documents, cut) == compiled(case.documents, cut)


@pytest.mark.parametrize("window", [{"lifetime": True}, {"rolling": "24h"}, {"calendar": "day", "timezone": "UTC"}])
def test_sums_that_stop_are_judged_alike_and_nothing_overflows(window: dict[str, object]) -> None:
    many = policy(budget("4611686018.427387903", window, on_breach="review", warn_at_percent=[1, 100]))
    log = log_of(staged(many), *(call(timedelta(), f"e{n}", 2**53 - 1) for n in range(520)))
    documents = {policy_hash(many): many}
    decisions, cells = compiled(documents, [log])
    assert interpreted(documents, [log]) == (decisions, cells)
    assert MAX_SUM in {value for fields in cells[TENANT].values() for value in fields.values()}
