"""Which calls have been imported before: 64-bit identities, in sorted arrays; 8 to 16 bytes each."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from xxhash import xxh3_64_intdigest

from spendgate.ledger.arrow_values import values_of

Hashes = npt.NDArray[np.uint64]


def identities_of(batch: pa.RecordBatch) -> Hashes:
    """Of (tenant, source, id) of each row. Two differ in 64 bits but for a chance of about n^2 / 2^65."""
    named = zip(*(values_of(batch.column(name)) for name in ("tenant", "source", "id")), strict=True)
    return np.array([xxh3_64_intdigest(" ".join(each).encode()) for each in named], np.uint64)


class Identities:
    """A set of identities that grows; few arrays, each at least twice as long as the next."""

    def __init__(self) -> None:
        self._known: list[Hashes] = []

    def take(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Which of these were taken before, here or earlier in the same array; then all of them are."""
        fresh, first = np.unique(hashes, return_index=True)
        seen = np.ones(len(hashes), np.bool_)
        seen[first] = False
        for known in self._known:
            seen |= _among(hashes, known)
        if len(fresh):
            self._add(fresh)
        return seen

    def _add(self, fresh: Hashes) -> None:
        self._known.append(fresh)
        while len(self._known) > 1 and len(self._known[-2]) < 2 * len(self._known[-1]):
            self._known[-2:] = [np.union1d(*self._known[-2:])]


def _among(hashes: Hashes, known: Hashes) -> npt.NDArray[np.bool_]:
    places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    found: npt.NDArray[np.bool_] = known[places] == hashes
    return found
