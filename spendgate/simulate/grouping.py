"""Exact sums by group, in one pass: calls and nano-USD by verdict."""

from dataclasses import dataclass, field

import numpy as np

from spendgate.engine.batch import UNKNOWN
from spendgate.engine.jit import jit
from spendgate.engine.rules import Int
from spendgate.model.decision import VERDICTS

CALLS, NANO_USD = 0, 1
_ROOM = 64


@dataclass(slots=True)
class Groups:
    """``totals``: (groups, verdicts, 2), calls and nano-USD; ``lost``: (groups, 2), what of it was accepted work that
    would not have been done: of the verdicts from ``refused_from`` on."""

    refused_from: int = len(VERDICTS) - 1
    totals: Int = field(default_factory=lambda: np.zeros((_ROOM, len(VERDICTS), 2), np.int64))
    lost: Int = field(default_factory=lambda: np.zeros((_ROOM, 2), np.int64))

    def add(self, groups: Int, worst: Int, costs: Int, accepted: Int) -> None:
        """Count calls. ``worst``: UNKNOWN leaves a call out; ``costs``: UNKNOWN adds nothing; ``accepted``: 0, 1."""
        self._make_room(int(groups.max(initial=0)) + 1)
        _add(self.totals, self.lost, groups, worst, costs, accepted, self.refused_from)

    def merge(self, other: "Groups", numbers: Int) -> None:
        """Add another's sums; its group g is group ``numbers[g]`` here. What either has more of is empty."""
        count = min(len(numbers), len(other.totals))
        self._make_room(int(numbers.max(initial=0)) + 1)
        np.add.at(self.totals, numbers[:count], other.totals[:count])
        np.add.at(self.lost, numbers[:count], other.lost[:count])

    def _make_room(self, groups: int) -> None:
        if groups > len(self.totals):
            size = 1 << (groups - 1).bit_length()
            self.totals, self.lost = _longer(self.totals, size), _longer(self.lost, size)


def _longer(array: Int, size: int) -> Int:
    bigger = np.zeros((size, *array.shape[1:]), np.int64)
    bigger[: len(array)] = array
    return bigger


@jit
def _add(
    totals: Int, lost: Int, groups: Int, worst: Int, costs: Int, accepted: Int, refused_from: int
) -> None:  # fmt: skip
    for at in range(groups.shape[0]):
        verdict, group = worst[at], groups[at]
        if verdict < 0:
            continue
        cost = 0 if costs[at] == UNKNOWN else costs[at]
        totals[group, verdict, CALLS] += 1
        totals[group, verdict, NANO_USD] += cost
        if verdict >= refused_from and accepted[at] == 1:
            lost[group, CALLS] += 1
            lost[group, NANO_USD] += cost
