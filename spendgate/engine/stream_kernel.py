"""The kernel of a run over columns: the law of ``decide``, for sums that never leave memory.

It says of each call only the verdicts; who wants a call's whole decision asks ``decide``. Both must agree, and a law
holds them to it.
"""

from spendgate.engine.batch import UNKNOWN, Records
from spendgate.engine.decide import APPROVE, WARN
from spendgate.engine.jit import inlined, jit
from spendgate.engine.plan import search
from spendgate.engine.rules import BOUNDARY, BUDGET, CALENDAR, ROLLING, Int
from spendgate.engine.stream_state import (
    ADMITTED,
    BREACHED_COST,
    BREACHED_MS,
    BREACHES,
    CALLS,
    CLOSED_CALLS,
    END,
    LAST,
    LAST_MS,
    NEVER_MS,
    RECORDED,
    RING,
    SLOT,
    START,
    SUM_ADMITTED,
    SUM_RECORDED,
)
from spendgate.engine.table import FULL, Table, find_or_add
from spendgate.engine.windows import BUCKETS

DONE, ROWS_FULL, DISORDERED = -1, -2, -3
"""How a run over a batch ended; the latter two leave the call at ``at[0]`` uncounted."""


@jit
def run(  # noqa: C901 - one pass, as decide
    rules: Records, thresholds: Int, on_unpriced: Int, denies_from: Int,
    class_first: Int, class_rule: Int, class_fixed: Int, starts: Int, starts_first: Int,
    judged_ms: Int, late: Int, skipped: Int, costs: Int, input_tokens: Int, output_tokens: Int, klass: Int, keys: Int,
    table: Table, sums: Int, here: Int, ring_of: Int, cells: Int, heads: Int,
    slots: Int, at: Int, worst: Int, worst_open: Int, by_policy: Int, rule_hits: Int,
    totals: Int,
) -> int:  # fmt: skip
    """Judge calls from ``at[0]`` on. ``slots`` is scratch, an entry a rule.

    Fills ``worst`` and ``worst_open`` (the
    closed and the open loop's verdict of each call), ``by_policy`` ((policies, calls), UNKNOWN where it does not
    look), ``rule_hits`` ((rules, 5): how often each rule answered with each verdict, and how often it looked) and
    ``totals`` ((policies, closed and open loop, verdicts, 2): calls and nano-USD).
    """
    for call in range(at[0], judged_ms.shape[0]):
        at[0] = call
        worst[call] = UNKNOWN
        worst_open[call] = UNKNOWN
        if skipped[call] != 0:
            continue
        first, last = class_first[klass[call]], class_first[klass[call] + 1]
        found = _place(rules, class_rule, first, last, starts, starts_first, judged_ms[call], late[call],
                       keys, call, table, here, ring_of, cells, heads, slots)  # fmt: skip
        if found != DONE:
            return found
        cost, most, most_open = costs[call], APPROVE, APPROVE
        entry = first
        while entry < last:
            begin, policy = entry, rules[class_rule[entry]]["policy"]
            mine, mine_open = APPROVE, APPROVE
            answered = cost != UNKNOWN
            while entry < last and rules[class_rule[entry]]["policy"] == policy:
                rule = class_rule[entry]
                verdict, verdict_open = APPROVE, APPROVE
                if rules[rule]["kind"] == BUDGET:
                    slot = slots[entry - first]
                    if slot != UNKNOWN and cost != UNKNOWN:
                        used, recorded = _used(
                            rules, rule, sums, slot, keys, call, ring_of, cells, heads, judged_ms[call]
                        )
                        verdict = _of_budget(rules, thresholds, rule, used + cost)
                        verdict_open = _of_budget(rules, thresholds, rule, recorded + cost)
                        if used + cost > rules[rule]["cap"]:
                            if sums[slot, BREACHED_MS] == NEVER_MS:
                                sums[slot, BREACHED_MS] = judged_ms[call]
                            sums[slot, BREACHES] += 1
                            sums[slot, BREACHED_COST] += cost
                elif rules[rule]["kind"] == BOUNDARY:
                    verdict = _of_boundary(
                        rules, rule, class_fixed[entry], cost, input_tokens[call], output_tokens[call]
                    )
                    verdict_open = verdict
                else:
                    verdict = _of_review(rules, rule, class_fixed[entry], cost, input_tokens[call], output_tokens[call])
                    verdict_open = verdict
                if not answered and rules[rule]["costly"] == 1:
                    answered = True
                    verdict = max(verdict, on_unpriced[policy])
                    verdict_open = verdict
                if rules[rule]["kind"] != BUDGET or slots[entry - first] != UNKNOWN:
                    rule_hits[rule, 4] += 1
                    rule_hits[rule, verdict] += 1
                mine, mine_open = max(mine, verdict), max(mine_open, verdict_open)
                entry += 1
            admits = mine < denies_from[policy]
            for pair in range(begin, entry):
                slot = slots[pair - first]
                if slot != UNKNOWN:
                    _count(rules, class_rule[pair], sums, slot, keys, call, ring_of, cells, heads, judged_ms[call],
                           cost, admits)  # fmt: skip
            by_policy[policy, call] = mine
            paid = 0 if cost == UNKNOWN else cost
            totals[policy, 0, mine, 0] += 1
            totals[policy, 0, mine, 1] += paid
            totals[policy, 1, mine_open, 0] += 1
            totals[policy, 1, mine_open, 1] += paid
            most, most_open = max(most, mine), max(most_open, mine_open)
        worst[call], worst_open[call] = most, most_open
    at[0] = judged_ms.shape[0]
    return DONE


@inlined
def _place(  # noqa: C901 - calendar, rolling and lifetime in turn
    rules: Records, class_rule: Int, first: int, last: int, starts: Int, starts_first: Int, at_ms: int, late: int,
    keys: Int, call: int, table: Table, here: Int, ring_of: Int, cells: Int, heads: Int, slots: Int,
) -> int:  # fmt: skip
    """Find every budget's row, and bring its ring to the call's bucket, before anything is counted."""
    result = DONE
    for entry in range(first, last):
        rule = class_rule[entry]
        slots[entry - first] = UNKNOWN
        if rules[rule]["kind"] != BUDGET or late != 0:
            continue
        key = keys[rules[rule]["group"], call]
        if rules[rule]["window"] == CALENDAR:
            if at_ms >= here[rule, key, END] or at_ms < here[rule, key, START]:
                place = search(
                    starts, starts_first[rules[rule]["table"]], starts_first[rules[rule]["table"] + 1], at_ms
                )
                found = find_or_add(table, rule, key, starts[place])
                if found == FULL:
                    result = ROWS_FULL
                    break
                here[rule, key, SLOT] = found
                here[rule, key, START] = starts[place]
                here[rule, key, END] = starts[place + 1]
        else:
            if here[rule, key, END] == NEVER_MS:
                found = find_or_add(table, rule, key, 0)
                if found == FULL:
                    result = ROWS_FULL
                    break
                here[rule, key, SLOT] = found
                here[rule, key, END] = 0
            if rules[rule]["window"] == ROLLING:
                bucket = at_ms // rules[rule]["width_ms"]
                ring = ring_of[rule]
                if heads[ring, key, LAST] - bucket > RING - BUCKETS:
                    result = DISORDERED
                    break
                if bucket > heads[ring, key, LAST]:
                    _advance(cells[ring, key], heads[ring, key], bucket)
        slots[entry - first] = here[rule, key, SLOT]
    return result


@jit
def _advance(cells: Int, head: Int, bucket: int) -> None:
    """Move a ring's window to ``bucket``: what leaves it is taken off the sums, what it enters is emptied."""
    last = head[LAST]
    head[LAST] = bucket
    if last == NEVER_MS:
        return
    if bucket - last >= RING:
        cells[:] = 0
        head[SUM_ADMITTED] = 0
        head[SUM_RECORDED] = 0
        return
    for gone in range(last - BUCKETS + 1, bucket - BUCKETS + 1):
        if gone <= last:
            head[SUM_ADMITTED] -= cells[gone & (RING - 1), 0]
            head[SUM_RECORDED] -= cells[gone & (RING - 1), 1]
    for entered in range(last + 1, bucket + 1):
        cells[entered & (RING - 1), 0] = 0
        cells[entered & (RING - 1), 1] = 0


@inlined
def _used(
    rules: Records, rule: int, sums: Int, slot: int, keys: Int, call: int, ring_of: Int, cells: Int, heads: Int,
    at_ms: int,
) -> tuple[int, int]:  # fmt: skip
    """What the window of a call holds before it: admitted and recorded."""
    used, recorded = sums[slot, ADMITTED], sums[slot, RECORDED]
    if rules[rule]["window"] == ROLLING:
        ring, key = ring_of[rule], keys[rules[rule]["group"], call]
        bucket = at_ms // rules[rule]["width_ms"]
        used, recorded = heads[ring, key, SUM_ADMITTED], heads[ring, key, SUM_RECORDED]
        if bucket != heads[ring, key, LAST]:
            used, recorded = 0, 0
            for back in range(bucket - BUCKETS + 1, bucket + 1):
                used += cells[ring, key, back & (RING - 1), 0]
                recorded += cells[ring, key, back & (RING - 1), 1]
    return used, recorded


@inlined
def _count(
    rules: Records, rule: int, sums: Int, slot: int, keys: Int, call: int, ring_of: Int, cells: Int, heads: Int,
    at_ms: int, cost: int, admits: bool,
) -> None:  # fmt: skip
    sums[slot, CALLS] += 1
    sums[slot, CLOSED_CALLS] += not admits
    sums[slot, LAST_MS] = max(sums[slot, LAST_MS], at_ms)
    if cost != UNKNOWN:
        admitted = cost if admits else 0
        sums[slot, RECORDED] += cost
        sums[slot, ADMITTED] += admitted
        if rules[rule]["window"] == ROLLING:
            ring, key = ring_of[rule], keys[rules[rule]["group"], call]
            bucket = at_ms // rules[rule]["width_ms"]
            cells[ring, key, bucket & (RING - 1), 0] += admitted
            cells[ring, key, bucket & (RING - 1), 1] += cost
            if bucket > heads[ring, key, LAST] - BUCKETS:
                heads[ring, key, SUM_ADMITTED] += admitted
                heads[ring, key, SUM_RECORDED] += cost


@inlined
def _of_budget(rules: Records, thresholds: Int, rule: int, after: int) -> int:
    verdict = APPROVE
    if after > rules[rule]["cap"]:
        verdict = rules[rule]["breach"]
    elif thresholds[rule, 0] != UNKNOWN and after >= thresholds[rule, 0]:
        verdict = WARN
    return verdict


@inlined
def _of_boundary(rules: Records, rule: int, fixed: int, cost: int, input_tokens: int, output_tokens: int) -> int:
    breached = fixed != 0
    if rules[rule]["cost"] != UNKNOWN and cost > rules[rule]["cost"]:
        breached = True
    if rules[rule]["input_tokens"] != UNKNOWN and input_tokens > rules[rule]["input_tokens"]:
        breached = True
    if rules[rule]["output_tokens"] != UNKNOWN and output_tokens > rules[rule]["output_tokens"]:
        breached = True
    return rules[rule]["breach"] if breached else APPROVE


@inlined
def _of_review(rules: Records, rule: int, fixed: int, cost: int, input_tokens: int, output_tokens: int) -> int:
    holds = fixed == 1
    if rules[rule]["cost"] != UNKNOWN and cost <= rules[rule]["cost"]:
        holds = False
    if rules[rule]["input_tokens"] != UNKNOWN and input_tokens <= rules[rule]["input_tokens"]:
        holds = False
    if rules[rule]["output_tokens"] != UNKNOWN and output_tokens <= rules[rule]["output_tokens"]:
        holds = False
    return rules[rule]["breach"] if holds else APPROVE
