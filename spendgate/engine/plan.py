"""plan: which rules look at each call of a batch, and which counter slots they read."""

from typing import NamedTuple

import numpy as np

from spendgate.engine.batch import Batch, Records, new_pairs
from spendgate.engine.classes import ClassArrays
from spendgate.engine.counters import VIEW, Counters
from spendgate.engine.jit import inlined, jit
from spendgate.engine.rules import BUDGET, CALENDAR, ROLLING, Int, Rules
from spendgate.engine.table import FULL, Table, find_or_add

_SLOTS_FULL, _VIEWS_FULL = FULL, FULL - 1


class Calendars(NamedTuple):
    """All calendar tables end to end: the starts of table t stand at ``first[t]`` to ``first[t + 1]``."""

    starts: Int
    first: Int


def plan(
    rules: Rules, classes: ClassArrays, calendars: Calendars, calls: Records, keys: Int, counters: Counters
) -> Batch:
    """The pairs of a batch; every slot that they read is in ``counters`` afterwards, perhaps not yet loaded."""
    sizes = classes.first[calls["klass"] + 1] - classes.first[calls["klass"]]
    first = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)))
    batch = Batch(calls, keys, first, new_pairs(first))
    planned = np.zeros(1, np.int64)
    while len(calls):
        stopped = _plan(
            rules.rows, classes.first, classes.rule, classes.fixed, calendars.starts, calendars.first, planned,
            calls, keys, first, batch.pairs, counters.slots, counters.views, counters.view_slots,
        )  # fmt: skip
        if stopped == 0:
            break
        counters.grow_slots() if stopped == _SLOTS_FULL else counters.grow_views()
    return batch


@jit
def _plan(
    rules: Records, class_first: Int, class_rule: Int, class_fixed: Int, starts: Int, starts_first: Int, planned: Int,
    calls: Records, keys: Int, first: Int, pairs: Records, slots: Table, views: Table, view_slots: Int,
) -> int:  # fmt: skip
    for call in range(planned[0], calls.shape[0]):
        planned[0] = call  # where it goes on, once there is room
        entry = class_first[calls[call]["klass"]]
        for pair in range(first[call], first[call + 1]):
            rule = class_rule[entry]
            pairs[pair]["rule"] = rule
            pairs[pair]["fixed"] = class_fixed[entry]
            entry += 1
            if rules[rule]["kind"] != BUDGET or calls[call]["late"] == 1:
                continue
            counter, key = rules[rule]["counter"], keys[rules[rule]["group"], call]
            at_ms = calls[call]["judged_ms"]
            window = 0
            if rules[rule]["window"] == ROLLING:
                window = at_ms // rules[rule]["width_ms"]
                found = _view(slots, views, view_slots, counter, key, window >> 4)
            else:
                if rules[rule]["window"] == CALENDAR:
                    table = rules[rule]["table"]
                    place = search(starts, starts_first[table], starts_first[table + 1], at_ms)
                    window = starts[place]
                    pairs[pair]["window_end"] = starts[place + 1]
                found = find_or_add(slots, counter, key, window)
            if found < 0:
                return found
            pairs[pair]["window"] = window
            pairs[pair]["ref"] = found
    return 0


@inlined
def search(starts: Int, low: int, high: int, at_ms: int) -> int:
    """The last of ``starts[low:high]`` that is not after ``at_ms``."""
    while high - low > 1:
        middle = (low + high) // 2
        if starts[middle] <= at_ms:
            low = middle
        else:
            high = middle
    return low


@jit
def _view(slots: Table, views: Table, view_slots: Int, counter: int, key: int, block: int) -> int:
    """The view that ends at ``block``; its slots are ``block - 15`` to ``block``."""
    known = views.used[0]
    if slots.used[0] + VIEW > slots.counter.shape[0]:
        return _SLOTS_FULL
    view = find_or_add(views, counter, key, block)
    if view == FULL:
        return _VIEWS_FULL
    if view == known:
        for back in range(VIEW):
            view_slots[view, back] = find_or_add(slots, counter, key, block - VIEW + 1 + back)
    return view
