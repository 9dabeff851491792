"""A counter's key as it stands in decisions and in the store."""

from collections.abc import Sequence

from spendgate.model.text import NONE

SHARED = "all"
"""The key of a counter that all calls share."""


def key_text(fields: Sequence[str], values: Sequence[str | None]) -> str:
    """Such as ``team=marketing employee=(none)``, or ``all``; no two keys share a text.

    Names and values hold neither spaces nor parentheses.
    """
    if not fields:
        return SHARED
    return " ".join(f"{name}={value or NONE}" for name, value in zip(fields, values, strict=True))


def key_values(text: str) -> dict[str, str | None]:
    """What ``key_text`` was made of, by field, for the names of fields hold no ``=``."""
    pairs = [] if text == SHARED else [each.partition("=") for each in text.split(" ")]
    return {name: None if value == NONE else value for name, _, value in pairs}
