"""A tenant's part of one topic partition of a ledger, as columns: stretches of events, and activations between them."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Any

from spendgate.ledger.delta_reader import LAST, Ledger, Part
from spendgate.simulate.ahead import read_ahead
from spendgate.simulate.ledger_log import LedgerLog

BATCH_ROWS = 65_536
_UNIQUE = ("id", "refers_to", "check_id")
_TEXTS = ("kind", "source")


class LogPieces:
    """What ``log`` holds of a tenant, with at least the columns ``needed`` of every event.

    ``names``: columns of names, read as Arrow dictionaries.
    """

    def __init__(
        self, ledger: Ledger, log: LedgerLog, tenant: str, needed: Sequence[str], names: Sequence[str]
    ) -> None:
        self._ledger, self._log, self._tenant = ledger, log, tenant
        self._columns = list(dict.fromkeys((*needed, *names)))
        self._coded = [each for each in (*_TEXTS, *names) if each in self._columns and each not in _UNIQUE]

    def pieces(self, stop: int = LAST) -> Generator[Any]:
        """Batches of events, and a ``Begun`` for each activation, up to before offset ``stop``, in log order.

        Events are read ahead in a thread. Raises LedgerError.
        """
        last = min(stop - 1, self._log.covered)
        begun = iter(self._log.begun(last, self._tenant))
        following = next(begun, None)
        with closing(read_ahead(self.batches(self._columns, last + 1, self._coded))) as batches:
            for batch in batches:
                while following is not None and (cut := _rows_before(batch, following.place)) is not None:
                    if cut:
                        yield batch.slice(0, cut)
                    yield following
                    batch, following = batch.slice(cut), next(begun, None)
                if batch.num_rows:
                    yield batch
        if following is not None:
            yield following
        yield from begun

    def batches(self, columns: Sequence[str], stop: int = LAST, coded: Sequence[str] = ()) -> Iterator[Any]:
        """Batches of these columns up to before offset ``stop``, not read ahead."""
        part = Part(*self._log.source, 0, stop - 1)
        return self._ledger.event_batches(self._tenant, columns, batch_rows=BATCH_ROWS, part=part, dictionaries=coded)


def _rows_before(batch: Any, place: int) -> int | None:
    """How many rows of a batch stand before an offset; None where all do."""
    offsets = batch["offset"].to_numpy(zero_copy_only=False)
    found = int(offsets.searchsorted(place))
    return None if found == len(offsets) else found
