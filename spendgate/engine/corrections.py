"""Which call a correction is about: the latest accepted before it in the log, else the first after."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import NamedTuple

Place = tuple[int, int]
"""(message offset, index in the message)."""


class Correction(NamedTuple):
    """A correction in the log: where it stands, the identity it refers to, and the cost in nano-USD."""

    place: Place
    identity: int
    cost_nano_usd: int


def corrected_costs(corrections: Sequence[Correction], accepted: Mapping[int, Sequence[Place]]) -> dict[Place, int]:
    """The cost that each corrected call should have had, by its place; the latest correction of a call wins.

    ``corrections`` in log order; ``accepted``: by identity, where calls were accepted, in log order.
    """
    costs: dict[Place, int] = {}
    for correction in corrections:
        places = accepted.get(correction.identity, ())
        if places:
            costs[places[max(0, bisect_left(places, correction.place) - 1)]] = correction.cost_nano_usd
    return costs
