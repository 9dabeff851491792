"""Classes of calls: matching by bit sets is matching every glob of every policy, one after another."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.engine import classes as engine_classes
from spendgate.engine.classes import MODEL_DENIED, VENDOR_DENIED, Classes
from spendgate.engine.scope import ScopeIndex
from spendgate.model.event import Event
from spendgate.model.policy import Policy, Rule
from tests.engine.scenes import START, examples, policy
from tests.oracle.drawn_logs import VALUES
from tests.oracle.limits import boundary_breach
from tests.oracle.matching import among, in_scope
from tests.strategies import policies

words = st.text(st.sampled_from("abAB-*?[]!."), min_size=1, max_size=4)
names = st.text(st.sampled_from("abAB-[]!.^"), min_size=1, max_size=4)
globs = st.lists(words | st.just("(none)"), min_size=1, max_size=3)
selections = st.dictionaries(st.sampled_from(["team", "model", "agent"]), globs, max_size=2)
scopes = st.builds(lambda given, gone: given | ({"exclude": gone} if gone else {}), selections, selections)
calls = st.builds(
    lambda owners: Event(id="e", source="app", tenant="t", time=START, **owners),
    st.fixed_dictionaries({name: st.none() | names for name in ("team", "model", "agent")}),
)
familiar = st.builds(
    lambda owners, evidence: Event(id="e", source="app", tenant="t", time=START, evidence_status=evidence, **owners),
    st.fixed_dictionaries({name: st.sampled_from(values) for name, values in VALUES.items()}),
    st.sampled_from(["present", "missing", None]),
)


def rules_of(classes: Classes, call: Event) -> list[tuple[int, int]]:
    """(rule, fixed) of every rule that looks at the call."""
    number = classes.class_of(classes.values_of(call))
    first, rule, fixed = classes.arrays()
    mine = slice(int(first[number]), int(first[number + 1]))
    return list(zip(rule[mine].tolist(), fixed[mine].tolist(), strict=True))


def naive_rules_of(found: Sequence[Policy], call: Event) -> list[tuple[int, int]]:
    """The same, rule by rule."""
    pairs: list[tuple[int, int]] = []
    number = 0
    for each in found:
        for rule in each.spec.rules:
            if in_scope(each.spec.scope, call):
                pairs.append((number, naive_fixed(rule, call)))
            number += 1
    return pairs


def naive_fixed(rule: Rule, call: Event) -> int:
    if rule.boundary is not None:
        code = boundary_breach(rule.boundary, call)
        return {"model_denied": MODEL_DENIED, "vendor_denied": VENDOR_DENIED}.get(code or "", 0)
    if rule.review is not None:
        when = rule.review.when
        return int(
            (when.models is None or among(call.model, when.models))
            and (when.vendors is None or among(call.vendor, when.vendors))
            and (when.evidence_status is None or call.evidence_status in when.evidence_status)
        )
    return 0


@given(drawn=st.lists(scopes, min_size=1, max_size=70), call=calls)
@examples(100)
def test_bit_sets_find_the_policies_that_look(drawn: list[dict[str, object]], call: Event) -> None:
    rule = {"boundary": {"max_cost_usd": "1", "on_breach": "deny"}}
    found = [policy(rule, scope=scope).spec.scope for scope in drawn]
    index = ScopeIndex.of(found)
    matching = index.matching([getattr(call, name) for name in index.fields])
    assert [n for n in range(len(found)) if matching >> n & 1] == [
        n for n, scope in enumerate(found) if in_scope(scope, call)
    ]


@given(drawn=st.lists(policies(), min_size=1, max_size=4), log=st.lists(familiar, min_size=1, max_size=10))
@examples(40)
def test_a_call_has_the_rules_that_one_by_one_would_be_found(drawn: list[Policy], log: list[Event]) -> None:
    classes = Classes.of(drawn)
    expected = [naive_rules_of(drawn, call) for call in log]
    assert [rules_of(classes, call) for call in log] == expected
    assert [rules_of(classes, call) for call in log] == expected


def test_past_its_bound_the_table_starts_anew_and_still_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_classes, "MAX_CLASSES", 10)
    drawn = [policy({"boundary": {"models": {"deny": ["m-1*"]}, "on_breach": "deny"}})]
    classes = Classes.of(drawn)
    plain = Event(id="e", source="app", tenant="t", time=START)
    for n in range(50):
        classes.trim()
        call = msgspec.structs.replace(plain, model=f"m-{n}")
        assert rules_of(classes, call) == naive_rules_of(drawn, call)
        assert len(classes._ids) <= 11


def test_calls_that_rules_cannot_tell_apart_share_a_class() -> None:
    classes = Classes.of([policy({"boundary": {"models": {"deny": ["gpt-*"]}, "on_breach": "deny"}})])
    plain = Event(id="e", source="app", tenant="t", time=START)
    models = [msgspec.structs.replace(plain, model=model, team=model) for model in ("gpt-1", "gpt-2", "claude", None)]
    numbers = [classes.class_of(classes.values_of(call)) for call in models]
    assert numbers == [0, 0, 1, 1]


def test_a_table_that_starts_anew_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_classes, "MAX_CLASSES", 1)
    classes = Classes.of([policy({"boundary": {"models": {"deny": ["gpt-*"]}, "on_breach": "deny"}})])
    for model in ("gpt-1", "claude"):
        classes.class_of((model,))
    assert classes.arrays().first.tolist() == [0, 1, 2]
    classes.trim()
    assert classes.arrays().first.tolist() == [0]
    assert classes.class_of(("claude",)) == 0
