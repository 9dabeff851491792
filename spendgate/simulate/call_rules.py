"""Every rule that was in force for a recorded call, with its verdict in words: also those that its decision does not
list, for what is not listed has approved. Nothing is judged again."""

from collections.abc import Mapping
from typing import Any

import msgspec

from spendgate.engine.staging import Staging, TenantDocument, activated, set_hash
from spendgate.ledger.activation_rows import activations_of
from spendgate.ledger.delta_reader import Ledger, Part
from spendgate.model.decision import VERDICTS, Decision, Reason
from spendgate.model.event import SCOPE_FIELDS, Event
from spendgate.model.policy import Policy, Rule
from spendgate.model.words import explain
from spendgate.simulate.rule_words import LATE_WORDS, approved_words, kind_of, rule_words
from spendgate.simulate.scope_words import mismatch_words

UNKNOWN_WORDS = "its document is not at hand, so only what the decision lists is told"
_OF_ITS_STAGING = ("policy", "staging", "stage", "rule", "kind", "verdict")


def in_force(ledger: Ledger, tenant: str, source: tuple[str, int], offset: int) -> TenantDocument:
    """The stagings and settings (no clock) of a tenant's record at ``offset`` of a topic partition, by the activations
    before it. Raises LedgerError."""
    document = TenantDocument()
    for batch in ledger.activation_batches(tenant, part=Part(*source, 0, offset - 1)):
        for placed in activations_of(batch):
            document = activated(document, placed.activation, placed.place.offset or 0)
    return document


def rules_of(
    call: Event, decision: Decision, document: TenantDocument, policies: Mapping[str, Policy]
) -> list[dict[str, Any]] | None:
    """By staging in force, each rule and what it said; None where ``document`` is not what judged the call, as in a
    ledger that lacks an activation.

    ``policies`` by hash; of one that is missing only what the decision lists can be told.
    """
    if set_hash(document.stagings) != decision.judged.set:
        return None
    listed = {(each.staging, each.rule): each for each in decision.reasons}
    event = {name: getattr(call, name) for name in SCOPE_FIELDS}
    return [_staging(each, policies.get(each.hash), event, decision, listed) for each in document.stagings]


def _staging(
    staging: Staging, policy: Policy | None, event: Mapping[str, Any], decision: Decision,
    listed: Mapping[tuple[str, int], Reason],
) -> dict[str, Any]:  # fmt: skip
    told = {"policy": staging.policy, "version": staging.hash, "staging": staging.staging, "stage": staging.stage}
    if policy is None:
        found = [_listed(None, each, decision) for (name, _), each in listed.items() if name == staging.staging]
        return {**told, "verdict": _worst(found), "words": UNKNOWN_WORDS, "rules": found}
    if (words := mismatch_words(policy, event)) is not None:
        return {**told, "verdict": None, "words": words, "rules": []}
    rules = [
        _rule(at, rule, listed.get((staging.staging, at)), decision) for at, rule in enumerate(policy.spec.rules)
    ]  # fmt: skip
    return {**told, "verdict": _worst(rules), "words": None, "rules": rules}


def _rule(at: int, rule: Rule, reason: Reason | None, decision: Decision) -> dict[str, Any]:
    if reason is not None:
        return _listed(rule, reason, decision)
    is_late = rule.budget is not None and "late" in decision.marks
    words = LATE_WORDS if is_late else approved_words(rule, is_priced="unpriced" not in decision.marks)
    verdict = None if is_late else "approve"
    return {"rule": at, "kind": kind_of(rule), "says": rule_words(rule), "verdict": verdict, "words": words,
            "listed": False}  # fmt: skip


def _listed(rule: Rule | None, reason: Reason, decision: Decision) -> dict[str, Any]:
    kept = {
        name: value
        for name, value in msgspec.to_builtins(reason).items()
        if name not in _OF_ITS_STAGING and value is not None
    }
    return {
        "rule": reason.rule, "kind": reason.kind, "says": None if rule is None else rule_words(rule),
        "verdict": reason.verdict, "words": explain(reason, decision.cost_nano_usd).partition(": ")[2],
        "listed": True, **kept,
    }  # fmt: skip


def _worst(rules: list[dict[str, Any]]) -> str | None:
    verdicts = [VERDICTS.index(each["verdict"]) for each in rules if each["verdict"] is not None]
    return VERDICTS[max(verdicts)] if verdicts else None
