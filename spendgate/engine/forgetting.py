"""When no verdict can read a slot in memory any more."""

import numpy as np

from spendgate.engine.compile import Program
from spendgate.engine.counters import Counters
from spendgate.engine.names import NEVER
from spendgate.engine.rules import CALENDAR, ROLLING, Int
from spendgate.engine.windows import BLOCK, BUCKETS

GONE = -(2**62)
"""The expiry of a slot whose rule is not in the program: its staging has ended."""


def expiries_ms(program: Program, counters: Counters, used: int) -> Int:
    """Of the first ``used`` slots, the instants (ms) after which no verdict of the program can read them."""
    rows, slots = program.rules.rows, counters.slots
    row_of = np.full(int(max(slots.counter[:used].max(initial=0), rows["counter"].max(initial=0))) + 1, -1, np.int64)
    row_of[rows["counter"]] = np.arange(len(rows))
    places, window = row_of[slots.counter[:used]], slots.window[:used]
    rule = rows[np.maximum(places, 0)] if len(rows) else np.zeros(used, rows.dtype)
    expires = np.full(used, NEVER, np.int64)
    rolling = rule["window"] == ROLLING
    expires[rolling] = (BLOCK * window[rolling] + BLOCK - 1 + BUCKETS) * rule["width_ms"][rolling]
    for number, table in enumerate(program.tables):
        mine = (places >= 0) & (rule["window"] == CALENDAR) & (rule["table"] == number)
        if not mine.any():
            continue
        table.cover(int(window[mine].min()), int(window[mine].max()))
        expires[mine] = table.starts[np.searchsorted(table.starts, window[mine], side="right")]
    expires[places < 0] = GONE
    return expires
