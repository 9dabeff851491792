"""The tally of calls in columns. Sums are exact whatever the amounts: in two limbs, joined as Python integers."""

from typing import Any

import numpy as np

from spendgate.prices.cards import Why
from spendgate.prices.tally import Change, Missing, Pair, PriceTally, Unpriced

_LIMB_BITS = 32
_LIMB = (1 << _LIMB_BITS) - 1


def tally_of(
    pairs: list[Pair], pair_of: Any, given: Any, no_given: Any, costs: Any, why: Any, inputs: Any, outputs: Any
) -> PriceTally:
    """The tally of n calls: int64 columns (``no_given`` bools, ``why`` small ints), at most 2^31 rows at a time.

    ``pair_of`` numbers ``pairs``; amounts are nano-USD and 0 where there is none, tokens 0 where unknown.
    """
    size = len(pairs)
    calls = np.bincount(pair_of, minlength=size).tolist()
    sums = zip(
        calls,
        _sums(pair_of, given, size),
        _sums(pair_of, costs, size),
        np.bincount(pair_of[no_given], minlength=size).tolist(),
        np.bincount(pair_of[why != Why.PRICED], minlength=size).tolist(),
        strict=True,
    )
    tally = PriceTally({pair: Change(*each) for pair, each in zip(pairs, sums, strict=True) if each[0]})
    _add_unpriced(tally, pairs, pair_of, why, inputs, outputs)
    return tally


def _add_unpriced(tally: PriceTally, pairs: list[Pair], pair_of: Any, why: Any, inputs: Any, outputs: Any) -> None:
    rows = np.flatnonzero(why != Why.PRICED)
    group = pair_of[rows] * len(Why) + why[rows]
    size = len(pairs) * len(Why)
    calls = np.bincount(group, minlength=size)
    input_tokens, output_tokens = _sums(group, inputs[rows], size), _sums(group, outputs[rows], size)
    for found in np.flatnonzero(calls).tolist():
        pair, reason = divmod(found, len(Why))
        unpriced = Unpriced(int(calls[found]), input_tokens[found], output_tokens[found])
        tally.add_unpriced(Missing(*pairs[pair], Why(reason)), unpriced)


def _sums(group: Any, values: Any, size: int) -> list[int]:
    """The sum of ``values`` (0 or more) of each group."""
    low, high = np.zeros(size, np.int64), np.zeros(size, np.int64)
    np.add.at(low, group, values & _LIMB)
    np.add.at(high, group, values >> _LIMB_BITS)
    return [(above << _LIMB_BITS) + below for above, below in zip(high.tolist(), low.tolist(), strict=True)]
