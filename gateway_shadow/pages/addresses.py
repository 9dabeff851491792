"""Addresses of pages."""

from urllib.parse import urlencode


def with_query(path: str, **said: str | int | None) -> str:
    """A path and what is asked of it; what is empty is left out."""
    query = urlencode({name: value for name, value in said.items() if value not in (None, "")})
    return f"{path}?{query}" if query else path
