"""Reading ahead: the next batches are read in a thread while the last is judged; both leave Python's lock alone."""

import queue
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

T = TypeVar("T")
AHEAD = 4


def read_ahead(items: Iterator[T]) -> Generator[T]:
    """The same items in the same order. What reading raises is raised here; closing this ends the reading."""
    waiting: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(AHEAD)
    stopped = threading.Event()
    reader = threading.Thread(target=_read, args=(items, waiting, stopped), daemon=True)
    reader.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        stopped.set()
        while reader.is_alive():
            _drain(waiting)
            reader.join(0.01)


def _read(
    items: Iterator[T], waiting: "queue.Queue[tuple[T | None, BaseException | None]]", stopped: threading.Event
) -> None:
    try:
        for item in items:
            if stopped.is_set():
                return
            waiting.put((item, None))
    except BaseException as error:  # noqa: BLE001 - it belongs to whoever reads
        waiting.put((None, error))
    else:
        waiting.put((None, None))


def _drain(waiting: "queue.Queue[tuple[T | None, BaseException | None]]") -> None:
    while not waiting.empty():
        waiting.get_nowait()
