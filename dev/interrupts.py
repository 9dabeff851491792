"""Ctrl-C at any moment: what must not be cut in two, and what counts as one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def unbroken() -> Iterator[None]:
    """Hold back Ctrl-C and its kin until the body is done, then let the first of them through.

    Only the main thread is interrupted in Python, so in any other this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    before = {ending: signal.signal(ending, lambda number, _: held.append(number)) for ending in _ENDINGS}
    try:
        yield
    finally:
        for ending, handler in before.items():
            signal.signal(ending, handler)
    for number in held[:1]:
        signal.raise_signal(number)


@contextmanager
def endings_as_interrupts() -> Iterator[None]:
    """Within the body SIGTERM and a closed terminal raise KeyboardInterrupt, so that they clean up too.

    What the caller had ignored (as nohup does) stays ignored.
    """
    heard = [ending for ending in _ENDINGS if signal.getsignal(ending) is not signal.SIG_IGN]
    before = {ending: signal.signal(ending, _interrupt) for ending in heard}
    try:
        yield
    finally:
        for ending, handler in before.items():
            signal.signal(ending, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
