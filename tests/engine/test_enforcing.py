"""What enforcing asks of the engine is what the engine decides: no second set of rules stands beside the first."""

import zlib
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from spendgate.engine.batch import Batch
from spendgate.engine.calls import Calls
from spendgate.engine.enforcing import BLOCKS_FROM, fixed_verdicts, gates
from spendgate.engine.preview import Preview, Previews
from spendgate.engine.rules import BUDGET
from spendgate.engine.staging import Staging, TenantDocument
from spendgate.engine.tenant import Tenant
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


class Previewed(NamedTuple):
    """A call before a judge of enforced stagings, and sums that its windows might hold."""

    preview: Preview
    event: Event
    sums: list[int]

    def judged(self) -> Batch:
        calls = Calls()
        calls.add_message(0, to_ms(START), [0], [self.event])
        return self.preview.consider(calls, to_ms(START), self.sums).batch


def previewed(which: Sequence[Policy], event: Event) -> Previewed:
    stagings = tuple(Staging(f"s{n}", each.metadata.name, f"h{n}", "enforced", 0) for n, each in enumerate(which))
    judge = Tenant(TENANT, TenantDocument(stagings=stagings), {f"h{n}": each for n, each in enumerate(which)})
    preview = Previews(judge).of(event, to_ms(START))
    return Previewed(preview, event, [zlib.crc32(b"%d" % n) % 10**9 for n in range(2 * len(preview.windows))])


def names(which: Sequence[Policy]) -> set[str]:
    return {f"s{n}" for n in range(len(which))}


@given(which=POLICIES, event=EVENTS)
def test_fixed_verdicts_and_gates_are_what_the_engine_decides(which: list[Policy], event: Event) -> None:
    found = previewed(which, event)
    judge = found.preview.judge
    fixed = fixed_verdicts(judge, found.preview.batch(event, to_ms(START)))
    asked = gates(found.preview, names(which))
    batch = found.judged()

    pairs, rules = batch.pairs, judge.program.rules.rows
    worst: dict[str, int] = {}
    expected = []
    for pair in range(len(pairs)):
        row = int(pairs["rule"][pair])
        staging = f"s{int(rules['policy'][row])}"
        is_budget = rules["kind"][row] == BUDGET
        if not is_budget or event.cost_nano_usd is None:
            worst[staging] = max(worst.get(staging, 0), int(pairs["verdict"][pair]))
        else:
            worst.setdefault(staging, 0)
        if is_budget and pairs["ref"][pair] >= 0 and rules["breach"][row] >= BLOCKS_FROM:
            cap, used = int(rules["cap"][row]), int(pairs["used"][pair])
            expected.append((staging, judge.program.rule_in_policy[row], int(rules["group"][row]), cap, used))
    assert fixed == {staging: VERDICTS[verdict] for staging, verdict in worst.items()}
    assert [(*each[:4], found.sums[2 * each.window]) for each in asked] == expected


@given(which=POLICIES, event=EVENTS)
def test_a_gates_own_cell_is_the_one_that_the_call_would_add_to(which: list[Policy], event: Event) -> None:
    found = previewed(which, event)
    keys, judge = found.preview.keys(event), Tenant(TENANT, *_again(found.preview.judge, which))
    calls = Calls()
    calls.add_message(0, to_ms(START), [0], [event])
    prepared = judge.prepare(calls)
    judge.load({slot: [0] * len(fields) for slot, fields in judge.unloaded().items()})
    _, changes = judge.judge(prepared, {})
    for gate in gates(found.preview, names(which)):
        if event.cost_nano_usd:
            assert changes.increments[gate.slot][gate.head + keys[gate.key]] == event.cost_nano_usd


def _again(judge: Tenant, which: Sequence[Policy]) -> tuple[TenantDocument, dict[str, Policy]]:
    return judge.document, {f"h{n}": each for n, each in enumerate(which)}
