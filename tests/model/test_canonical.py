"""Laws of the canonical form: the same meaning has the same bytes, another meaning has others."""

import json
import random
from hashlib import sha256
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from spendgate.model.canonical import NotCanonical, canonical_bytes, from_canonical, policy_hash, usd_text
from spendgate.model.money import MAX_CAP_NANO_USD, parse_usd
from spendgate.model.policy import Policy
from spendgate.model.policy_source import read_policy
from tests.model.policies import changes, documents, respelled, shuffled

EXAMPLE = """
apiVersion: spendgate/v1
kind: Policy
metadata: {name: marketing-monthly, owner: finance-ai, description: Für alle}
spec:
  scope: {team: [marketing, growth-*], exclude: {workflow: [incident-*]}}
  rules:
    - budget: {cap_usd: "25.00", window: {rolling: 24h}, warn_at_percent: [80, 50], on_breach: deny}
    - review: {when: {cost_usd_over: "0.50"}, expires: 90m}
"""
FORM = (
    '{"apiVersion":"spendgate/v1","kind":"Policy",'
    '"metadata":{"description":"Für alle","name":"marketing-monthly","owner":"finance-ai"},'
    '"spec":{"on_unpriced":"review","rules":['
    '{"budget":{"cap_usd":"25","on_breach":"deny","per":[],"warn_at_percent":[50,80],"window":{"rolling":"1d"}}},'
    '{"review":{"expires":"90m","when":{"cost_usd_over":"0.5"}}}],'
    '"scope":{"exclude":{"workflow":["incident-*"]},"team":["growth-*","marketing"]}}}'
)


def policy_of(document: dict[str, Any]) -> Policy:
    return Policy.model_validate(document)


def to_yaml(document: dict[str, Any]) -> str:
    stream = StringIO()
    YAML(typ="rt").dump(document, stream)
    return stream.getvalue()


def test_the_form_is_what_was_published() -> None:
    policy = read_policy(EXAMPLE, "example")
    assert canonical_bytes(policy).decode() == FORM
    assert policy_hash(policy) == sha256(FORM.encode()).hexdigest()


@given(documents())
def test_what_was_written_is_read_back(document: dict[str, Any]) -> None:
    policy = policy_of(document)
    form = canonical_bytes(policy)
    again = from_canonical(form)
    assert canonical_bytes(again) == form
    assert policy_hash(again) == policy_hash(policy)


@given(documents(), st.randoms(use_true_random=False))
def test_key_order_does_not_change_the_hash(document: dict[str, Any], chance: random.Random) -> None:
    assert policy_hash(policy_of(shuffled(document, chance))) == policy_hash(policy_of(document))


@given(documents(), st.randoms(use_true_random=False))
def test_spelling_does_not_change_the_hash(document: dict[str, Any], chance: random.Random) -> None:
    assert policy_hash(policy_of(respelled(document, chance))) == policy_hash(policy_of(document))


@given(documents())
def test_yaml_and_json_have_one_hash(document: dict[str, Any]) -> None:
    hashes = {
        policy_hash(read_policy(text, "file"))
        for text in (to_yaml(document), json.dumps(document), json.dumps(document, indent="\t"))
    }
    assert hashes == {policy_hash(policy_of(document))}


@given(documents(), st.data())
def test_a_change_of_meaning_changes_the_hash(document: dict[str, Any], data: st.DataObject) -> None:
    _, changed = data.draw(st.sampled_from(changes(document)), label="change")
    assert policy_hash(policy_of(changed)) != policy_hash(policy_of(document))


@given(documents())
def test_the_order_of_rules_is_kept(document: dict[str, Any]) -> None:
    spec = document["spec"]
    other = {"boundary": {"max_output_tokens": 7, "on_breach": "deny"}}
    first = {**document, "spec": {**spec, "rules": [{"review": {"when": {"models": ["x"]}}}, other]}}
    second = {**document, "spec": {**spec, "rules": [other, {"review": {"when": {"models": ["x"]}}}]}}
    assert policy_hash(policy_of(first)) != policy_hash(policy_of(second))


@pytest.mark.parametrize(
    "raw",
    [
        FORM.replace('"kind"', ' "kind"'),
        FORM.replace('"cap_usd":"25"', '"cap_usd":"25.0"'),
        FORM.replace('"per":[],', ""),
        FORM.replace('["growth-*","marketing"]', '["marketing","growth-*"]'),
        FORM.replace('"kind":"Policy"', '"kind":"Policy","kind":"Policy"'),
        FORM.replace("Für", "F\\u00fcr"),
        FORM.replace('"rolling":"1d"', '"rolling":"24h"'),
        FORM + "\n",
        FORM[:-1],
        "[]",
        "",
    ],
)
def test_anything_but_the_form_is_refused(raw: str) -> None:
    with pytest.raises(NotCanonical):
        from_canonical(raw.encode())


@given(st.integers(0, MAX_CAP_NANO_USD - 1))
def test_dollars_in_the_form_are_exact_and_shortest(nano_usd: int) -> None:
    text = usd_text(nano_usd)
    assert parse_usd(text) == nano_usd
    assert "." not in text or not text.endswith("0")
