"""What enforcing asks of the engine is what the engine decides: no second set of rules stands beside the first."""

import zlib
from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from spendgate.engine.calls import Calls
from spendgate.engine.enforcing import BLOCKS_FROM, fixed_verdicts, gates
from spendgate.engine.glance import Glance
from spendgate.engine.rules import BUDGET
from spendgate.engine.staging import Staging, TenantDocument
from spendgate.engine.tenant import Prepared, Tenant
from spendgate.model.decision import VERDICTS
from spendgate.model.event import Event
from spendgate.model.policy import Policy
from tests.engine.scenes import START, TENANT, call
from tests.oracle.documents import to_ms
from tests.oracle.drawn_policies import policies

POLICIES = st.lists(policies(), min_size=1, max_size=3)
EVENTS = st.builds(
    lambda cost, team, model, tokens: call(timedelta(), "e", cost, team=team, model=model, input_tokens=tokens),
    st.none() | st.integers(0, 10**10),
    st.sampled_from([None, "red", "blue", "red-1"]),
    st.sampled_from([None, "gpt-4o", "claude-3"]),
    st.none() | st.integers(0, 2000),
)


def prepared_by(which: Sequence[Policy], event: Event) -> tuple[Tenant, Prepared]:
    stagings = tuple(Staging(f"s{n}", each.metadata.name, f"h{n}", "enforced", 0) for n, each in enumerate(which))
    judge = Tenant(TENANT, TenantDocument(stagings=stagings), {f"h{n}": each for n, each in enumerate(which)})
    calls = Calls()
    calls.add_message(0, to_ms(START), [0], [event])
    return judge, judge.prepare(calls)


def some(slot: str, field: str) -> int:
    """A sum that a field of a slot might hold."""
    return zlib.crc32(f"{slot} {field[1:]}".encode()) % 10**9


@given(which=POLICIES, event=EVENTS)
def test_fixed_verdicts_and_gates_are_what_the_engine_decides(which: list[Policy], event: Event) -> None:
    judge, prepared = prepared_by(which, event)
    fixed = fixed_verdicts(judge, prepared)
    glance = Glance(judge, prepared)
    names = list(glance.unloaded())
    cells = {slot: [some(slot, field) for field in fields] for slot, fields in glance.unloaded().items()}
    asked = gates(judge, prepared, glance, {f"s{n}" for n in range(len(which))})
    glance.load(cells)
    judged = judge.consider(prepared)

    pairs, rules = judged.batch.pairs, judge.program.rules.rows
    worst: dict[str, int] = {}
    expected = []
    for pair in range(len(pairs)):
        row = int(pairs["rule"][pair])
        policy = int(rules["policy"][row])
        staging = f"s{policy}"
        is_budget = rules["kind"][row] == BUDGET
        if not is_budget or event.cost_nano_usd is None:
            worst[staging] = max(worst.get(staging, 0), int(pairs["verdict"][pair]))
        else:
            worst.setdefault(staging, 0)
        if is_budget and pairs["ref"][pair] >= 0 and rules["breach"][row] >= BLOCKS_FROM:
            key = judge.counters.key_text(int(judged.batch.keys[int(rules["group"][row]), 0]))
            expected.append(
                (
                    staging,
                    f"{judge.program.rule_in_policy[row]} {key}",
                    int(rules["cap"][row]),
                    int(pairs["used"][pair]),
                )
            )
    assert fixed == {staging: VERDICTS[verdict] for staging, verdict in worst.items()}
    used = [sum(sum(cells[names[place]][::2]) for place in range(each.first, each.last + 1)) for each in asked]
    assert [(*each[:3], sum_) for each, sum_ in zip(asked, used, strict=True)] == expected


@given(which=POLICIES, event=EVENTS.filter(lambda event: event.cost_nano_usd), more=st.integers(1, 10**9))
def test_what_is_added_to_a_gates_own_cell_is_added_to_what_its_budget_has_used(
    which: list[Policy], event: Event, more: int
) -> None:
    used = []
    for added in (0, more):
        judge, prepared = prepared_by(which, event)
        glance = Glance(judge, prepared)
        cells = {slot: [0] * len(fields) for slot, fields in glance.unloaded().items()}
        for gate in gates(judge, prepared, glance, {f"s{n}" for n in range(len(which))}):
            cells[gate.slot][list(glance.unloaded()[gate.slot]).index(gate.field)] += added
        glance.load(cells)
        pairs = judge.consider(prepared).batch.pairs
        blocking = (pairs["ref"] >= 0) & (judge.program.rules.rows["breach"][pairs["rule"]] >= BLOCKS_FROM)
        used.append(pairs["used"][blocking].tolist())
    assert used[1] == [each + more for each in used[0]]
