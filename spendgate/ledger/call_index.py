"""In which data files a call's id stands, from memory: a file never changes, so what was read of one stays true.

Only hashes are kept, 8 bytes a row; a file that is named may hold another id of the same hash, one that is not named
holds none of this id.
"""

from collections import OrderedDict
from threading import Lock
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_selection import Reading, Selection

MOST_ROWS = 8_000_000
"""Of all tenants together. A tenant with more is looked through from end to end instead."""

_Hashes = npt.NDArray[np.int64]


class Files(NamedTuple):
    """By their paths: those that may hold calls of an id, and those that may hold annotations of one."""

    calls: frozenset[str]
    annotations: frozenset[str]


class _Kept(NamedTuple):
    ids: _Hashes
    refers: _Hashes


class CallIndex:
    """For the latest files of the tenants that were asked for. Threads may share it."""

    def __init__(self, most_rows: int = MOST_ROWS) -> None:
        self._most_rows = most_rows
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._rows = 0
        self._prepared: set[str] = set()
        self._lock = Lock()

    def files(self, ledger: Ledger, tenant: str, id_: str) -> Files | None:
        """Where an id may stand; None for a tenant with too many rows. Raises LedgerError."""
        wanted = hash(id_)
        with self._lock:
            if (known := self._read(ledger, tenant)) is None:
                return None
        calls, annotations = (
            frozenset(path for path, kept in known.items() if (kept[which] == wanted).any()) for which in (0, 1)
        )
        return Files(calls, annotations)

    def is_prepared(self, tenant: str) -> bool:
        """Whether a tenant's files were read before; what has come since is read when somebody asks."""
        return tenant in self._prepared

    def prepare(self, ledger: Ledger, tenant: str) -> None:
        """Read what there is, so that the first who asks need not wait. Raises LedgerError."""
        with self._lock:
            self._read(ledger, tenant)

    def _read(self, ledger: Ledger, tenant: str) -> dict[str, _Kept] | None:
        files = ledger.files_of("events", tenant)
        if sum(each.rows for each in files) > self._most_rows or not all(each.ours for each in files):
            return None
        root = ledger.store.uri("events")
        for path in (each.path for each in files):
            if (root, path) in self._kept:
                self._kept.move_to_end((root, path))
            else:
                self._keep((root, path), _hashes(ledger, tenant, path))
        self._let_go()
        self._prepared.add(tenant)
        return {each.path: self._kept[root, each.path] for each in files}

    def _keep(self, key: tuple[str, str], hashes: _Kept) -> None:
        self._kept[key] = hashes
        self._rows += len(hashes.ids)

    def _let_go(self) -> None:
        """Of what was not asked for of late; files that were joined since go this way, too."""
        while self._rows > self._most_rows:
            self._rows -= len(self._kept.popitem(last=False)[1].ids)


def _hashes(ledger: Ledger, tenant: str, path: str) -> _Kept:
    """Of one file. Rows that were imported stand in no log, and no story is told of them."""
    ids: list[_Hashes] = []
    refers: list[_Hashes] = []
    for piece in Reading(ledger, Selection("events", tenant, only=frozenset((path,)))).pieces():
        rows = piece.columns(("id", "refers_to"))
        for found, name in ((ids, "id"), (refers, "refers_to")):
            values = pc.drop_null(rows[name]).to_pylist()
            found.append(np.fromiter(map(hash, values), np.int64, len(values)))
    nothing = np.zeros(0, np.int64)
    return _Kept(np.concatenate([nothing, *ids]), np.concatenate([nothing, *refers]))
