"""The stated set of strings: what a field of an event may hold, so that no sentence can ride along.

A string is 1 to 128 characters of printable ASCII without space, quote, backslash, parentheses and angle
brackets. Prose needs spaces; ``(none)`` stays free as the word for an unknown value.
"""

import re
from typing import Annotated

from msgspec import Meta

MAX_CHARS = 128
ALLOWED_CHARS = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in '"\\()<>')
EXPECTED = f"1 to {MAX_CHARS} printable ASCII characters other than space, double quote, backslash, ( ) < >"
NONE = "(none)"
"""How an unknown value is written in scopes and counter keys."""

_NAME = re.compile(f"[{re.escape(ALLOWED_CHARS)}]{{1,{MAX_CHARS}}}", re.ASCII)
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_COMPACT_JSON = ALLOWED_CHARS.encode() + b'"'

Name = Annotated[str, Meta(min_length=1, max_length=MAX_CHARS)]
"""A string of an event; its characters are checked by ``all_allowed`` or ``is_name``, not by msgspec."""


def is_name(text: str) -> bool:
    """Whether ``text`` is of the stated set."""
    return _NAME.fullmatch(text) is not None


def all_allowed(raw: bytes) -> bool:
    """Whether compact JSON holds allowed characters only; False means that each string must be looked at."""
    return not raw.translate(None, _COMPACT_JSON)


def echo_field(name: str) -> str:
    """A field name for an error message: itself where it looks like an identifier, else a word for it."""
    return name if _IDENTIFIER.fullmatch(name) else "(not an identifier)"
