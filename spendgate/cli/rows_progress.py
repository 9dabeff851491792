"""How far a pass over recorded events has come, on stderr: for a person, and only where it takes over a second."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from spendgate.simulate.run import Progress

FIRST_S, EVERY_S = 1.0, 0.2
_WIDTH = 60


def words(rows: int, seconds: float, total: int | None) -> str:
    """``1,000,000 of 10,000,000 rows, 2,000,000 a second, 4 s left``; without the total, the rows and the rate."""
    rate = rows / seconds if seconds > 0 else 0.0
    if total is None or not rate:
        return f"{rows:,} rows, {rate:,.0f} a second"
    left_s = max(0.0, (total - rows) / rate)
    return f"{rows:,} of {total:,} rows, {rate:,.0f} a second, {left_s:.0f} s left"


def total_rows(given: Mapping[str, Any]) -> int | None:
    """How many rows a ledger has, as far as that is known before; None for a file, or for a part of a ledger."""
    if given["ledger"] is None or given["from_"] or given["to"] or given["where"]:
        return None
    from spendgate.cli.ledger import storage_options
    from spendgate.ledger.delta_reader import Ledger

    return Ledger.open(given["ledger"], storage_options(given["storage_option"]), given["ledger_version"]).rows(
        "events"
    )


@contextmanager
def progress(total: Callable[[], int | None]) -> Iterator["Progress"]:
    """What to tell the rows to; ``total`` is asked once, when there is something to show."""
    console, begun = Console(stderr=True), time.monotonic()
    shown_at = begun
    asked = cache(total)

    def tell(rows: int) -> None:
        nonlocal shown_at
        now = time.monotonic()
        if console.is_terminal and now - begun > FIRST_S and now - shown_at > EVERY_S:
            shown_at = now
            # Not by the console's print, which takes control characters out.
            console.file.write(f"\r{words(rows, now - begun, asked()):<{_WIDTH}}")
            console.file.flush()

    yield tell
    if shown_at != begun:
        console.print()
