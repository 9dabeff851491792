"""What enforcing needs to know of one prepared call: what blocks it whatever was spent, and which budgets may."""

from collections.abc import Collection
from typing import NamedTuple

from spendgate.engine.decide import judge_fixed
from spendgate.engine.glance import Glance
from spendgate.engine.tenant import Prepared, Tenant
from spendgate.model.decision import VERDICTS, Verdict

BLOCKS_FROM = VERDICTS.index("review")
"""The mildest verdict that holds a call up where it is enforced."""


class Gate(NamedTuple):
    """A budget that looks at a call and blocks it when breached.

    ``counter``: rule and key, as in a store; ``breach``: the verdict of a breach; ``first``, ``last``: the places of
    its window among the slots that the glance reads; ``slot``, ``field``: the cell that the call would add to.
    """

    staging: str
    counter: str
    cap_nano_usd: int
    breach: Verdict
    first: int
    last: int
    slot: str
    field: str


def fixed_verdicts(judge: Tenant, prepared: Prepared) -> dict[str, Verdict]:
    """By staging that looks at the call, the worst verdict of all that no counter has a say in."""
    batch = prepared.batch._replace(pairs=prepared.batch.pairs.copy())
    judge_fixed(judge.program.rules, judge.program.by_policy, batch)
    policies = judge.program.rules.rows["policy"][batch.pairs["rule"]].tolist()
    worst: dict[str, int] = {}
    for policy, verdict in zip(policies, batch.pairs["verdict"].tolist(), strict=True):
        staging = judge.program.stagings[policy].staging
        worst[staging] = max(worst.get(staging, 0), verdict)
    return {staging: VERDICTS[verdict] for staging, verdict in worst.items()}


def gates(judge: Tenant, prepared: Prepared, glance: Glance, stagings: Collection[str]) -> list[Gate]:
    """The budgets of some stagings that may block the call, in the order of rules."""
    program, wanted = judge.program, glance.unloaded()
    slots = list(wanted)
    found = []
    for pair, (first, last) in glance.spans.items():
        row = int(prepared.batch.pairs["rule"][pair])
        rule = program.rules.rows[row]
        staging = program.stagings[int(rule["policy"])].staging
        if staging not in stagings or rule["breach"] < BLOCKS_FROM:
            continue
        key = judge.counters.key_text(int(prepared.batch.keys[int(rule["group"]), 0]))
        counter = f"{program.rule_in_policy[row]} {key}"
        field = wanted[slots[first]][-2]  # the call's own bucket, admitted
        breach = VERDICTS[int(rule["breach"])]
        found.append(Gate(staging, counter, int(rule["cap"]), breach, first, last, slots[first], field))
    return found
