"""Calls of one tenant, and the pairs of call and rule, as records: what plan fills in and decide works on.

Records, one array each, because compiled code then passes a few arrays and not fifty.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spendgate.engine.rules import Int

Records = NDArray[np.void]
UNKNOWN = -1


def _dtype(*names: str) -> np.dtype[np.void]:
    return np.dtype([(name, np.int64) for name in names])


CALL = _dtype(
    "judged_ms",
    "late",
    "skipped",
    "cost",
    "input_tokens",
    "output_tokens",
    "klass",
    "worst",
    "nearest",
    "looked",
)
"""``judged_ms``: the time that chooses windows. ``late``: 1 if no budget looks. ``skipped``: 1 for a duplicate,
which is judged by nothing. ``cost``: nano-USD, UNKNOWN if unpriced. Tokens: counts, UNKNOWN if not said.
``klass``: the call's class. Found by decide: the ``worst`` verdict (index into VERDICTS), ``nearest`` (the pair of
the approving budget with the least left, UNKNOWN without), ``looked`` (how many rules looked)."""

PAIR = _dtype("rule", "fixed", "ref", "window", "window_end", "verdict", "code", "used", "recorded", "reset", "alerts")
"""``rule``: its row. ``fixed``: see ClassArrays. ``ref``: the slot (calendar, lifetime) or view (rolling) of a
budget, UNKNOWN where the budget does not look. ``window``: its start in ms, or the call's bucket; ``window_end``:
ms, calendar only. Found by decide: ``verdict`` and ``code`` (indexes into VERDICTS and CODES), ``used`` and
``recorded`` (nano-USD just before the call), ``reset`` (ms, UNKNOWN without), ``alerts`` (bit k: threshold k was
crossed)."""


class Batch(NamedTuple):
    """``calls``: CALL records in log order. ``keys``: (groups, calls), the key number under each ``per``.
    ``pairs``: PAIR records, call by call; those of call i stand at ``first[i]`` to ``first[i + 1]``.
    """

    calls: Records
    keys: Int
    first: Int
    pairs: Records


def new_pairs(first: Int) -> Records:
    """Room for the pairs whose boundaries ``first`` gives, nothing found yet."""
    pairs: Records = np.zeros(int(first[-1]), PAIR)
    pairs["ref"] = UNKNOWN
    pairs["reset"] = UNKNOWN
    return pairs


def taken(batch: Batch, rows: Int) -> Batch:
    """Some calls of a judged batch, with their pairs."""
    counts = np.diff(batch.first)[rows]
    first = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
    moved = first[:-1] - batch.first[rows]
    calls: Records = batch.calls[rows]
    is_near = calls["nearest"] != UNKNOWN
    calls["nearest"][is_near] += moved[is_near]
    pairs = np.arange(first[-1]) - np.repeat(moved, counts)
    return Batch(calls, batch.keys[:, rows], first, batch.pairs[pairs])
