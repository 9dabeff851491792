"""What a judged stretch says of the rules that a reconciliation asks about, in one pass over its pairs."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spendgate.engine.batch import UNKNOWN, Batch, Records
from spendgate.engine.jit import jit
from spendgate.engine.rules import BUDGET, Int
from spendgate.reconcile.windows import MINUTE_MS

Bits = NDArray[np.bool_]


class Looked(NamedTuple):
    """``looked``: by call, whether a rule looked that is asked about. By rule, whether it ``answered`` otherwise than
    approve. By policy, how many calls were ``near`` a cap, and how many it looked at, by their ``minutes``."""

    looked: Bits
    answered: Bits
    near: Int
    minutes: dict[int, dict[int, int]]


def look(rules: Records, named: Bits, batch: Batch, within: Bits, near_cap_percent: int) -> Looked:
    """``rules``: rows of the program; ``named``: which of its policies are asked about; ``within``: which calls."""
    calls, _, first, pairs = batch
    found = Looked(np.zeros(len(calls), np.bool_), np.zeros(len(rules), np.bool_), np.zeros(len(named), np.int64), {})
    policies, minutes = np.empty(len(pairs), np.int64), np.empty(len(pairs), np.int64)
    room = _percent_of(rules["cap"], near_cap_percent)
    count = _look(
        rules, room, named, calls, first, pairs, within, found.looked, found.answered, found.near, policies, minutes
    )
    for policy in np.unique(policies[:count]).tolist():
        found.minutes[policy] = _counted(minutes[:count][policies[:count] == policy])
    return found


def _counted(minutes: Int) -> dict[int, int]:
    values, counts = np.unique(minutes, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _percent_of(caps: Int, percent: int) -> Int:
    """So many percent of each, rounded down; a cap times a hundred can be past an int64."""
    found: Int = caps // 100 * percent + caps % 100 * percent // 100
    return found


@jit
def _look(
    rules: Records, room: Int, named: Bits, calls: Records, first: Int, pairs: Records, within: Bits, looked: Bits,
    answered: Bits, near: Int, policies: Int, minutes: Int,
) -> int:  # fmt: skip
    """Fills what ``Looked`` says, and for each call and policy that looked at it an entry of the last two; how many."""
    count = 0
    for call in range(calls.shape[0]):
        if not within[call]:
            continue
        last, last_near, cost = UNKNOWN, UNKNOWN, calls[call]["cost"]
        for pair in range(first[call], first[call + 1]):
            rule = pairs[pair]["rule"]
            policy = rules[rule]["policy"]
            if not named[policy]:
                continue
            looked[call] = True
            if policy != last:
                policies[count], minutes[count] = policy, calls[call]["judged_ms"] // MINUTE_MS
                count, last = count + 1, policy
            if pairs[pair]["verdict"] > 0:
                answered[rule] = True
            is_summed = rules[rule]["kind"] == BUDGET and pairs[pair]["ref"] != UNKNOWN and cost != UNKNOWN
            if is_summed and policy != last_near and rules[rule]["cap"] - pairs[pair]["used"] - cost <= room[rule]:
                near[policy] += 1
                last_near = policy
    return count
