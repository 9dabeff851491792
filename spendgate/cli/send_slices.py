"""Cuts a stream of rows into slices: what is read, packed and acknowledged together."""

import queue
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
SLICE_ROWS = 10_000
_LINGER_S = 0.2
_WAITING_SLICES = 2


def slices(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of ``size`` rows, the last one shorter."""
    rows = iter(rows)
    while part := list(islice(rows, size)):
        yield part


def live_slices(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """As ``slices``, for a source that may pause: what has come goes on in 0.2 s. An empty list is a pause.

    A thread reads ahead by at most two slices; what it raises is raised here.
    """
    waiting: queue.Queue[T | _End] = queue.Queue(size * _WAITING_SLICES)
    threading.Thread(target=_read, args=(rows, waiting), daemon=True).start()
    while True:
        part: list[T] = []
        try:
            while len(part) < size:
                row = waiting.get(timeout=_LINGER_S)
                if isinstance(row, _End):
                    yield part
                    row.raise_error()
                    return
                part.append(row)
        except queue.Empty:
            pass
        yield part


class _End:
    """The source is at its end, or failed."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    def raise_error(self) -> None:
        if self._error is not None:
            raise self._error


def _read(rows: Iterable[T], waiting: "queue.Queue[T | _End]") -> None:
    error: Exception | None = None
    try:
        for row in rows:
            waiting.put(row)
    except Exception as raised:  # noqa: BLE001 - carried over to the thread that reads, which raises it
        error = raised
    waiting.put(_End(error))
