"""A console for tables with a column of prose."""

import sys

from rich.console import Console

WIDTH = 200


def wide_console() -> Console:
    """As wide as the terminal; WIDTH where there is none, so that a pipe gets whole lines."""
    return Console(width=None if sys.stdout.isatty() else WIDTH)
