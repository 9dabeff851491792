"""What the ledger's commands say besides their result: one line for what went wrong, a bar for what takes long."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from spendgate.cli.say import USAGE, told_without_kafka
from spendgate.failure import NEEDED, REFUSED, Failure

_QUIET_S = 1.0
"""What is done by then needs no bar."""


@contextmanager
def told_of_ledger() -> Iterator[None]:
    """Turn what can be wrong with a ledger, and with files, into one line and an exit code."""
    from spendgate.ledger.ledger_errors import LedgerError

    with told_without_kafka():
        try:
            yield
        except LedgerError as error:
            raise Failure(str(error), _exit_code(error)) from None


def _exit_code(error: Exception) -> int:
    from spendgate.ledger.ledger_errors import LedgerAway, LedgerOvertaken, LedgerTooNew

    match error:
        case LedgerOvertaken():
            return REFUSED
        case LedgerAway() | LedgerTooNew():
            return NEEDED
        case _:
            return USAGE


@contextmanager
def bar(what: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
    """A function to be told of progress; on a terminal, once a second has passed, a bar on stderr shows it.

    ``total``: the sum of what it will be told, where that is known.
    """
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    shown = Progress(*columns, console=Console(stderr=True), transient=True)
    task = shown.add_task(what, total=total)
    began = time.monotonic()

    def advance(by: float) -> None:
        shown.update(task, advance=by)
        if not shown.live.is_started and shown.console.is_terminal and time.monotonic() - began > _QUIET_S:
            shown.start()

    try:
        yield advance
    finally:
        shown.stop()
