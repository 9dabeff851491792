"""decide: the verdict of every pair, in log order, and what each call adds to its counters.

One function, compiled by numba; with the compiler off the same source is the reference.
"""

from spendgate.engine.batch import UNKNOWN, Batch, Records
from spendgate.engine.counters import MAX_SUM, Counters
from spendgate.engine.jit import jit
from spendgate.engine.rules import (
    BOUNDARY,
    BUDGET,
    CALENDAR,
    MAX_THRESHOLDS,
    ROLLING,
    Int,
    PolicyArrays,
    Rules,
)
from spendgate.engine.windows import BUCKETS
from spendgate.model.decision import CODES, VERDICTS

APPROVE, WARN = VERDICTS.index("approve"), VERDICTS.index("warn")
WITHIN_BUDGET, NEAR_CAP, OVER_CAP = (CODES.index(code) for code in ("within_budget", "near_cap", "over_cap"))
WITHIN_BOUNDARY, COST_OVER = CODES.index("within_boundary"), CODES.index("cost_over")
INPUT_OVER, OUTPUT_OVER = CODES.index("input_tokens_over"), CODES.index("output_tokens_over")
NO_REVIEW, REVIEW_REQUIRED, UNPRICED = (CODES.index(code) for code in ("no_review", "review_required", "unpriced"))


def decide(rules: Rules, policies: PolicyArrays, batch: Batch, counters: Counters) -> None:
    """Judge a batch whose slots are all loaded: fills in what ``batch`` says is found, adds to ``counters``."""
    _decide(
        rules.rows, rules.thresholds, policies.unpriced, policies.denies_from, batch.calls, batch.first, batch.pairs,
        counters.view_slots, *counters.cells,
    )  # fmt: skip


def judge_fixed(rules: Rules, policies: PolicyArrays, batch: Batch) -> None:
    """Fill in the verdicts of a batch that no counter has a say in: boundaries, reviews, and what is unpriced."""
    _judge_fixed(rules.rows, policies.unpriced, batch.calls, batch.first, batch.pairs)


@jit
def _judge_fixed(rules: Records, on_unpriced: Int, calls: Records, first: Int, pairs: Records) -> None:
    for call in range(calls.shape[0]):
        for pair in range(first[call], first[call + 1]):
            rule = pairs[pair]["rule"]
            if rules[rule]["kind"] == BOUNDARY:
                _judge_boundary(rules, calls, call, pairs, pair)
            elif rules[rule]["kind"] != BUDGET:
                _judge_review(rules, calls, call, pairs, pair)
            if calls[call]["cost"] == UNKNOWN and rules[rule]["costly"] == 1:
                pairs[pair]["verdict"] = max(pairs[pair]["verdict"], on_unpriced[rules[rule]["policy"]])


@jit
def _decide(  # noqa: C901 - the law's order on one screen; a call per pair would cost more than the verdict
    rules: Records, thresholds: Int, on_unpriced: Int, denies_from: Int, calls: Records, first: Int, pairs: Records,
    view_slots: Int, admitted: Int, recorded: Int, total_admitted: Int, total_recorded: Int, added_admitted: Int,
    added_recorded: Int, touched: Int, is_touched: Int, touched_count: Int,
) -> None:  # fmt: skip
    for call in range(calls.shape[0]):
        calls[call]["nearest"] = UNKNOWN
        if calls[call]["skipped"] == 1:
            continue
        cost = calls[call]["cost"]
        least_left = MAX_SUM + 1
        pair = first[call]
        while pair < first[call + 1]:
            begin, policy = pair, rules[pairs[pair]["rule"]]["policy"]
            worst = APPROVE
            answered = cost != UNKNOWN
            while pair < first[call + 1] and rules[pairs[pair]["rule"]]["policy"] == policy:
                rule, ref = pairs[pair]["rule"], pairs[pair]["ref"]
                if rules[rule]["kind"] == BUDGET:
                    if ref != UNKNOWN:
                        if rules[rule]["window"] == ROLLING:
                            bucket = pairs[pair]["window"]
                            pairs[pair]["used"] = _rolling_sum(admitted, total_admitted, view_slots, ref, bucket)
                            pairs[pair]["recorded"] = _rolling_sum(recorded, total_recorded, view_slots, ref, bucket)
                        else:
                            pairs[pair]["used"] = admitted[ref, 0]
                            pairs[pair]["recorded"] = recorded[ref, 0]
                        _judge_budget(rules, thresholds, pairs, pair, cost, admitted, view_slots)
                elif rules[rule]["kind"] == BOUNDARY:
                    _judge_boundary(rules, calls, call, pairs, pair)
                else:
                    _judge_review(rules, calls, call, pairs, pair)
                if not answered and rules[rule]["costly"] == 1:
                    answered = True
                    if on_unpriced[policy] >= pairs[pair]["verdict"]:
                        pairs[pair]["verdict"] = on_unpriced[policy]
                        pairs[pair]["code"] = UNPRICED
                worst = max(worst, pairs[pair]["verdict"])
                if rules[rule]["kind"] != BUDGET or ref != UNKNOWN:
                    calls[call]["looked"] += 1
                pair += 1
            admits = worst < denies_from[policy]
            for mine in range(begin, pair):
                if pairs[mine]["ref"] == UNKNOWN or cost == UNKNOWN:
                    continue
                rule, used = pairs[mine]["rule"], pairs[mine]["used"]
                left = rules[rule]["cap"] - used - cost
                if pairs[mine]["verdict"] == APPROVE and left < least_left:
                    least_left = left
                    calls[call]["nearest"] = mine
                slot, at = pairs[mine]["ref"], 0
                if rules[rule]["window"] == ROLLING:
                    slot, at = view_slots[slot, 15], pairs[mine]["window"] & 15
                if is_touched[slot] == 0:
                    is_touched[slot] = 1
                    touched[touched_count[0]] = slot
                    touched_count[0] += 1
                _add(recorded, total_recorded, added_recorded, slot, at, cost)
                if admits:
                    _add(admitted, total_admitted, added_admitted, slot, at, cost)
                    pairs[mine]["alerts"] = _crossed(thresholds, rule, used, cost)
            calls[call]["worst"] = max(calls[call]["worst"], worst)


@jit
def _judge_budget(
    rules: Records, thresholds: Int, pairs: Records, pair: int, cost: int, admitted: Int, view_slots: Int
) -> None:
    if cost == UNKNOWN:
        return
    rule, used = pairs[pair]["rule"], pairs[pair]["used"]
    if used + cost > rules[rule]["cap"]:
        pairs[pair]["verdict"] = rules[rule]["breach"]
        pairs[pair]["code"] = OVER_CAP
        if cost > rules[rule]["cap"]:
            return
        if rules[rule]["window"] == CALENDAR:
            pairs[pair]["reset"] = pairs[pair]["window_end"]
        elif rules[rule]["window"] == ROLLING:
            room = rules[rule]["cap"] - cost
            pairs[pair]["reset"] = (
                _first_bucket_with_room(admitted, view_slots, pairs[pair]["ref"], pairs[pair]["window"], used, room)
                * rules[rule]["width_ms"]
            )
    elif thresholds[rule, 0] != UNKNOWN and used + cost >= thresholds[rule, 0]:
        pairs[pair]["verdict"] = WARN
        pairs[pair]["code"] = NEAR_CAP


@jit
def _judge_boundary(rules: Records, calls: Records, call: int, pairs: Records, pair: int) -> None:
    rule = pairs[pair]["rule"]
    code = pairs[pair]["fixed"]
    if code == 0 and rules[rule]["cost"] != UNKNOWN and calls[call]["cost"] > rules[rule]["cost"]:
        code = COST_OVER
    limit = rules[rule]["input_tokens"]
    if code == 0 and limit != UNKNOWN and calls[call]["input_tokens"] > limit:
        code = INPUT_OVER
    limit = rules[rule]["output_tokens"]
    if code == 0 and limit != UNKNOWN and calls[call]["output_tokens"] > limit:
        code = OUTPUT_OVER
    pairs[pair]["code"] = WITHIN_BOUNDARY if code == 0 else code
    pairs[pair]["verdict"] = APPROVE if code == 0 else rules[rule]["breach"]


@jit
def _judge_review(rules: Records, calls: Records, call: int, pairs: Records, pair: int) -> None:
    rule = pairs[pair]["rule"]
    holds = pairs[pair]["fixed"] == 1
    if rules[rule]["cost"] != UNKNOWN and calls[call]["cost"] <= rules[rule]["cost"]:
        holds = False
    limit = rules[rule]["input_tokens"]
    if limit != UNKNOWN and calls[call]["input_tokens"] <= limit:
        holds = False
    limit = rules[rule]["output_tokens"]
    if limit != UNKNOWN and calls[call]["output_tokens"] <= limit:
        holds = False
    pairs[pair]["code"] = REVIEW_REQUIRED if holds else NO_REVIEW
    pairs[pair]["verdict"] = rules[rule]["breach"] if holds else APPROVE


@jit
def _rolling_sum(cells: Int, totals: Int, view_slots: Int, view: int, bucket: int) -> int:
    """The 240 buckets that end at ``bucket``: a part of the first block, 14 whole ones, a part of the last."""
    offset = bucket & 15
    found = 0
    slot = view_slots[view, 0]
    for at in range(offset + 1, 16):
        found = min(found + cells[slot, at], MAX_SUM)
    for back in range(1, 15):
        found = min(found + totals[view_slots[view, back]], MAX_SUM)
    slot = view_slots[view, 15]
    for at in range(offset + 1):
        found = min(found + cells[slot, at], MAX_SUM)
    return found


@jit
def _first_bucket_with_room(cells: Int, view_slots: Int, view: int, bucket: int, used: int, room: int) -> int:
    """The first later bucket whose window holds no more than ``room`` of the ``used`` nano-USD.

    A sum at MAX_SUM may have been cut, and taking from it what leaves would free too much: then what stays is
    summed, from the young end and no further than past ``room``, so that it cannot overflow.
    """
    if used < MAX_SUM:
        left, later = used, bucket
        while left > room and later < bucket + BUCKETS:
            gone = later - BUCKETS + 1
            left -= cells[view_slots[view, (gone >> 4) - (bucket >> 4) + 15], gone & 15]
            later += 1
        return later
    stays, at = 0, bucket + 1
    while stays <= room and at > bucket - BUCKETS + 1:
        at -= 1
        stays += cells[view_slots[view, (at >> 4) - (bucket >> 4) + 15], at & 15]
    return at + BUCKETS


@jit
def _crossed(thresholds: Int, rule: int, before: int, cost: int) -> int:
    crossed = 0
    for k in range(MAX_THRESHOLDS):
        threshold = thresholds[rule, k]
        if threshold != UNKNOWN and before < threshold <= before + cost:
            crossed |= 1 << k
    return crossed


@jit
def _add(cells: Int, totals: Int, added: Int, slot: int, at: int, cost: int) -> None:
    fits = min(cost, MAX_SUM - cells[slot, at])
    cells[slot, at] += fits
    added[slot, at] += fits
    totals[slot] = min(totals[slot] + fits, MAX_SUM)
