"""Lint with traffic: what a policy says that the recorded calls never needed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from spendgate.engine.columns import CallColumns
from spendgate.engine.stream import Judged, StreamJudge
from spendgate.ledger.arrow_values import dictionary_of
from spendgate.model.event import SCOPE_FIELDS
from spendgate.model.policy import Policy
from spendgate.model.policy_lint import lint_names
from spendgate.model.words import money
from spendgate.simulate.history import History
from spendgate.simulate.rule_words import rule_words
from spendgate.simulate.run import Options, Run, simulate


def lint(run: Run, history: History, options: Options) -> list[dict[str, Any]]:
    """Findings on a run's policies, in their order; one more pass over the history."""
    findings = [*_unused(run), *_idle_caps(run)]
    known, needed = _second_pass(run.policies, history, options)
    findings += list(_needless(run, needed))
    for policy in run.policies:
        for found in lint_names(policy, known):
            near = f"; the nearest that does is {found.nearest}" if found.nearest else ""
            path = ".".join(str(part) for part in found.path)
            findings.append(_finding("no_such_value", policy, None, f"{path} {found.message}{near}"))
    order = {policy.metadata.name: at for at, policy in enumerate(run.policies)}
    return sorted(findings, key=lambda f: (order[f["policy"]], -1 if f["rule"] is None else f["rule"], f["code"]))


def _finding(code: str, policy: Policy, rule: int | None, words: str) -> dict[str, Any]:
    return {"code": code, "policy": policy.metadata.name, "rule": rule, "words": words}


def _places(policies: Sequence[Policy]) -> list[tuple[Policy, int]]:
    return [(policy, rule) for policy in policies for rule in range(len(policy.spec.rules))]


def _unused(run: Run) -> Iterator[dict[str, Any]]:
    none = np.zeros(len(_places(run.policies)), np.int64)
    looked = sum((judge.rule_hits[:, 4] for judge in run.judges.values()), none)
    for row, (policy, rule) in enumerate(_places(run.policies)):
        if not looked[row]:
            yield _finding("matched_nothing", policy, rule, f"{rule_words(policy.spec.rules[rule])}: no call matched")


def _idle_caps(run: Run) -> Iterator[dict[str, Any]]:
    fullest: dict[int, int] = {}
    breached: set[int] = set()
    for judge in run.judges.values():
        for row in judge.rows():
            fullest[row.rule] = max(fullest.get(row.rule, 0), row.recorded_nano_usd)
            if row.breaches:
                breached.add(row.rule)
    for at, (policy, rule) in enumerate(_places(run.policies)):
        budget = policy.spec.rules[rule].budget
        if budget is not None and at in fullest and at not in breached and fullest[at] <= budget.cap_nano_usd:
            words = f"{rule_words(policy.spec.rules[rule])}: could not bind, the most recorded is {money(fullest[at])}"
            yield _finding("never_bound", policy, rule, words)


def _second_pass(
    policies: Sequence[Policy], history: History, options: Options
) -> tuple[Mapping[str, list[str]], set[tuple[str, int]]]:
    """The values that occur by scope field, and the rules without which some verdict would be another."""
    several = [(policy, rule) for policy, rule in _places(policies) if len(policy.spec.rules) > 1]
    variants = [(policy, rule, _without(policy, rule)) for policy, rule in several]
    base = len(policies)
    numbers = {policy.metadata.name: at for at, policy in enumerate(policies)}
    values: dict[str, set[str]] = {name: set() for name in SCOPE_FIELDS}
    needed: set[tuple[str, int]] = set()

    def listen(tenant: str, batch: Any, columns: CallColumns, judge: StreamJudge, judged: Judged) -> None:
        for name in SCOPE_FIELDS:
            values[name].update(value for value in dictionary_of(batch[name])[1] if value is not None)
        for at, (policy, rule, _) in enumerate(variants):
            name = policy.metadata.name
            if (judged.by_policy[base + at] != judged.by_policy[numbers[name]]).any():
                needed.add((name, rule))

    everything = [*policies, *(variant for _, _, variant in variants)]
    simulate(everything, history, options, listener=listen, also=SCOPE_FIELDS)
    alone = {(policy.metadata.name, 0) for policy in policies if len(policy.spec.rules) == 1}
    return {name: sorted(found) for name, found in values.items()}, needed | alone


def _without(policy: Policy, rule: int) -> Policy:
    rules = [each for at, each in enumerate(policy.spec.rules) if at != rule]
    return policy.model_copy(update={"spec": policy.spec.model_copy(update={"rules": rules})})


def _needless(run: Run, needed: set[tuple[str, int]]) -> Iterator[dict[str, Any]]:
    for policy, rule in _places(run.policies):
        if (policy.metadata.name, rule) not in needed:
            words = f"{rule_words(policy.spec.rules[rule])}: without it every verdict would have been the same"
            yield _finding("needless", policy, rule, words)
