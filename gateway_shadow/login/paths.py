"""Where a person goes after signing in: a place of this door, and never of another."""

from urllib.parse import quote, urlsplit

HOME = "/login"
MOST_CHARS = 2000


def own_path(text: str) -> str:
    """The path, with its query, if it is one of this door; else home. A browser reads ``//host`` and ``/\\host`` as
    another host, and passes over control characters in between."""
    is_plain = text.isascii() and text.isprintable() and len(text) <= MOST_CHARS and "\\" not in text
    if not is_plain or not text.startswith("/") or text.startswith("//"):
        return HOME
    return HOME if urlsplit(text).netloc else text


def quoted(path: str) -> str:
    """A path as a value in another address."""
    return quote(path, safe="/")
