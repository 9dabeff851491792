"""The kernel of a sweep: one policy with many caps or warn thresholds for one of its budgets, judged side by side.

What all variants share is worked out once a call: its windows, its buckets, and the verdict of the rules that are no
budgets (``base``). The rest is loops over adjacent variants, which the compiler turns into vector instructions.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spendgate.engine.batch import UNKNOWN, Records
from spendgate.engine.decide import APPROVE, WARN
from spendgate.engine.jit import inlined, jit
from spendgate.engine.plan import search
from spendgate.engine.rules import CALENDAR, LIFETIME, ROLLING, Int
from spendgate.engine.stream_kernel import DISORDERED, DONE, ROWS_FULL
from spendgate.engine.stream_state import END, NEVER_MS, RING, SLOT, START
from spendgate.engine.sweep_state import VariantRings, VariantRows
from spendgate.engine.table import FULL, find_or_add
from spendgate.engine.windows import BUCKETS


class SweepCalls(NamedTuple):
    """One entry a call. ``base``: the verdict without the budgets, UNKNOWN where the policy does not look. ``costs``:
    nano-USD, UNKNOWN if unpriced. ``keys``: (groups, calls). ``window``: what its counts are filed under, -1 for
    nothing. ``accepted``: 1 where it ended so. ``owner``: a number."""

    judged_ms: Int
    late: Int
    base: Int
    costs: Int
    keys: Int
    window: Int
    accepted: Int
    owner: Int


class SweepCounts(NamedTuple):
    """Shape (windows, variants): calls denied, their nano-USD, those of them that ended accepted, calls warned.
    ``accepted``, ``nano_usd``: (windows,), of all calls looked at. ``hits``: (owners, variants), 1 if denied any."""

    denied: Int
    denied_nano_usd: Int
    lost: Int
    warned: Int
    accepted: Int
    nano_usd: Int
    hits: NDArray[np.int8]


class Variants(NamedTuple):
    """``caps``, ``warns``: (budgets, variants), nano-USD; a threshold that is never reached where there is none."""

    caps: Int
    warns: Int


class Scratch(NamedTuple):
    """``slots``: an entry a budget. ``verdicts``, ``used``: an entry a variant."""

    slots: Int
    verdicts: Int
    used: Int


@jit
def run(
    budgets: Records, variants: Variants, denies_from: int, starts: Int, starts_first: Int, calls: SweepCalls,
    rows: VariantRows, here: Int, ring_of: Int, rings: VariantRings, scratch: Scratch, at: Int, counts: SweepCounts,
) -> int:  # fmt: skip
    """Judge calls from ``at[0]`` on by every variant, and count. What it returns: see ``stream_kernel``."""
    for call in range(at[0], calls.judged_ms.shape[0]):
        at[0] = call
        if calls.base[call] == UNKNOWN:
            continue
        found = _place(budgets, starts, starts_first, calls, call, rows, here, ring_of, rings, scratch.slots)
        if found != DONE:
            return found
        cost, verdicts = calls.costs[call], scratch.verdicts
        verdicts[:] = calls.base[call]
        if cost != UNKNOWN and calls.late[call] == 0:
            for budget in range(budgets.shape[0]):
                _judge(verdicts, _used(budgets, budget, calls, call, rows, ring_of, rings, scratch),
                       variants.caps[budget], variants.warns[budget], cost, budgets[budget]["breach"])  # fmt: skip
            for budget in range(budgets.shape[0]):
                _admit(budgets, budget, calls, call, rows, ring_of, rings, scratch, denies_from)
        if calls.window[call] != -1:
            _count(calls, call, verdicts, counts, denies_from)
    at[0] = calls.judged_ms.shape[0]
    return DONE


@inlined
def _place(
    budgets: Records, starts: Int, starts_first: Int, calls: SweepCalls, call: int, rows: VariantRows, here: Int,
    ring_of: Int, rings: VariantRings, slots: Int,
) -> int:  # fmt: skip
    """Find every budget's row, and bring its ring to the call's bucket, before anything is counted."""
    result, at_ms = DONE, calls.judged_ms[call]
    for budget in range(budgets.shape[0]):
        if calls.late[call] != 0:
            break
        key = calls.keys[budgets[budget]["group"], call]
        if budgets[budget]["window"] == ROLLING:
            ring, bucket = ring_of[budget], at_ms // budgets[budget]["width_ms"]
            if rings.last[ring, key] - bucket > RING - BUCKETS:
                result = DISORDERED
                break
            if bucket > rings.last[ring, key]:
                _advance(rings.cells[ring, key], rings.recorded[ring, key], rings.sums[ring, key],
                         rings.last[ring, key], bucket)  # fmt: skip
                rings.last[ring, key] = bucket
        elif at_ms >= here[budget, key, END] or at_ms < here[budget, key, START]:
            start, end = 0, -NEVER_MS
            if budgets[budget]["window"] == CALENDAR:
                table = budgets[budget]["table"]
                place = search(starts, starts_first[table], starts_first[table + 1], at_ms)
                start, end = starts[place], starts[place + 1]
            found = find_or_add(rows.table, budget, key, start)
            if found == FULL:
                result = ROWS_FULL
                break
            here[budget, key, SLOT] = found
            here[budget, key, START] = NEVER_MS if budgets[budget]["window"] == LIFETIME else start
            here[budget, key, END] = end
        slots[budget] = here[budget, key, SLOT]
    return result


@jit
def _advance(cells: Int, recorded: Int, sums: Int, last: int, bucket: int) -> None:
    """Move a ring's window to ``bucket``: what leaves it is taken off the sums, what it enters is emptied."""
    if last == NEVER_MS:
        return
    first = max(last + 1, bucket - RING + 1)
    if bucket - last >= RING:
        sums[:] = 0
    else:
        for gone in range(last - BUCKETS + 1, min(last, bucket - BUCKETS) + 1):
            if recorded[gone & (RING - 1)] != 0:
                _take_off(sums, cells[gone & (RING - 1)])
    for entered in range(first, bucket + 1):
        if recorded[entered & (RING - 1)] != 0:
            recorded[entered & (RING - 1)] = 0
            cells[entered & (RING - 1), :] = 0


@jit
def _take_off(sums: Int, cell: Int) -> None:
    for variant in range(sums.shape[0]):
        sums[variant] -= cell[variant]


@inlined
def _used(
    budgets: Records, budget: int, calls: SweepCalls, call: int, rows: VariantRows, ring_of: Int, rings: VariantRings,
    scratch: Scratch,
) -> Int:  # fmt: skip
    """What the window of a call holds before it, by variant."""
    used: Int = rows.admitted[scratch.slots[budget]]
    if budgets[budget]["window"] == ROLLING:
        ring, key = ring_of[budget], calls.keys[budgets[budget]["group"], call]
        bucket = calls.judged_ms[call] // budgets[budget]["width_ms"]
        used = rings.sums[ring, key]
        if bucket != rings.last[ring, key]:
            used = scratch.used
            used[:] = 0
            for back in range(bucket - BUCKETS + 1, bucket + 1):
                if rings.recorded[ring, key, back & (RING - 1)] != 0:
                    _put_on(used, rings.cells[ring, key, back & (RING - 1)])
    return used


@jit
def _put_on(sums: Int, cell: Int) -> None:
    for variant in range(sums.shape[0]):
        sums[variant] += cell[variant]


@jit
def _judge(verdicts: Int, used: Int, caps: Int, warns: Int, cost: int, breach: int) -> None:
    for variant in range(verdicts.shape[0]):
        after = used[variant] + cost
        verdict = breach if after > caps[variant] else (WARN if after >= warns[variant] else APPROVE)
        verdicts[variant] = max(verdicts[variant], verdict)


@inlined
def _admit(
    budgets: Records, budget: int, calls: SweepCalls, call: int, rows: VariantRows, ring_of: Int, rings: VariantRings,
    scratch: Scratch, denies_from: int,
) -> None:  # fmt: skip
    cost = calls.costs[call]
    if budgets[budget]["window"] == ROLLING:
        ring, key = ring_of[budget], calls.keys[budgets[budget]["group"], call]
        bucket = calls.judged_ms[call] // budgets[budget]["width_ms"]
        rings.recorded[ring, key, bucket & (RING - 1)] += cost
        _add(rings.cells[ring, key, bucket & (RING - 1)], scratch.verdicts, denies_from, cost)
        if bucket > rings.last[ring, key] - BUCKETS:
            _add(rings.sums[ring, key], scratch.verdicts, denies_from, cost)
    else:
        _add(rows.admitted[scratch.slots[budget]], scratch.verdicts, denies_from, cost)


@jit
def _add(admitted: Int, verdicts: Int, denies_from: int, cost: int) -> None:
    for variant in range(admitted.shape[0]):
        admitted[variant] += cost if verdicts[variant] < denies_from else 0


@jit
def _count(calls: SweepCalls, call: int, verdicts: Int, counts: SweepCounts, denies_from: int) -> None:
    window, accepted, most = calls.window[call], calls.accepted[call], APPROVE
    paid = max(0, calls.costs[call])
    counts.accepted[window] += accepted
    counts.nano_usd[window] += paid
    for variant in range(verdicts.shape[0]):
        most = max(most, verdicts[variant])
    if most >= WARN:
        _count_warned(counts.warned[window], verdicts)
    if most >= denies_from:
        _count_denied(counts.denied[window], verdicts, denies_from, 1)
        _count_denied(counts.denied_nano_usd[window], verdicts, denies_from, paid)
        _count_denied(counts.lost[window], verdicts, denies_from, accepted)
        _mark(counts.hits[calls.owner[call]], verdicts, denies_from)


@jit
def _count_warned(sums: Int, verdicts: Int) -> None:
    for variant in range(sums.shape[0]):
        sums[variant] += 1 if verdicts[variant] == WARN else 0


@jit
def _count_denied(sums: Int, verdicts: Int, denies_from: int, added: int) -> None:
    for variant in range(sums.shape[0]):
        sums[variant] += added if verdicts[variant] >= denies_from else 0


@jit
def _mark(hits: NDArray[np.int8], verdicts: Int, denies_from: int) -> None:
    for variant in range(hits.shape[0]):
        if verdicts[variant] >= denies_from:
            hits[variant] = 1
