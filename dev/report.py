"""How the stack says what it is doing."""

from collections.abc import Callable

Report = Callable[[str], None]
"""Takes one line for a person, without a full stop."""


def silent(_line: str) -> None:
    """A report that nobody reads."""
