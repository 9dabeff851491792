"""What enforcing needs to know of a call: what blocks it whatever was spent, and which budgets may."""

from collections.abc import Collection
from typing import NamedTuple

from spendgate.engine.batch import Batch
from spendgate.engine.decide import judge_fixed
from spendgate.engine.preview import Preview
from spendgate.engine.tenant import Tenant
from spendgate.model.decision import VERDICTS, Verdict

BLOCKS_FROM = VERDICTS.index("review")
"""The mildest verdict that holds a call up where it is enforced."""


class Gate(NamedTuple):
    """A budget that looks at calls of a class and blocks one when breached.

    ``rule``: its number in the policy; ``key``: the place of its counter's key; ``breach``: the verdict of a breach;
    ``window``: its place among the preview's windows; ``slot``, ``head``: the cell that a call would add to, whose
    field the key ends.
    """

    staging: str
    rule: int
    key: int
    cap_nano_usd: int
    breach: Verdict
    window: int
    slot: str
    head: str


def fixed_verdicts(judge: Tenant, batch: Batch) -> dict[str, Verdict]:
    """By staging that looks at the call of a batch, the worst verdict of all that no counter has a say in."""
    batch = batch._replace(pairs=batch.pairs.copy())
    judge_fixed(judge.program.rules, judge.program.by_policy, batch)
    policies = judge.program.rules.rows["policy"][batch.pairs["rule"]].tolist()
    worst: dict[str, int] = {}
    for policy, verdict in zip(policies, batch.pairs["verdict"].tolist(), strict=True):
        staging = judge.program.stagings[policy].staging
        worst[staging] = max(worst.get(staging, 0), verdict)
    return {staging: VERDICTS[verdict] for staging, verdict in worst.items()}


def gates(preview: Preview, stagings: Collection[str]) -> list[Gate]:
    """The budgets of some stagings that may block a call, in the order of rules."""
    program, found = preview.judge.program, []
    for place, (row, window) in enumerate(zip(preview.rows, preview.windows, strict=True)):
        rule = program.rules.rows[row]
        staging = program.stagings[int(rule["policy"])].staging
        if staging not in stagings or rule["breach"] < BLOCKS_FROM:
            continue
        slot, heads = window.slots[0]  # the call's own bucket is the last of the youngest block
        breach = VERDICTS[int(rule["breach"])]
        found.append(
            Gate(staging, program.rule_in_policy[row], window.key, int(rule["cap"]), breach, place, slot, heads[-2])
        )
    return found
