"""Every route of the API, a line each, for ``docs/routes.md``; ``python -m gateway_shadow.routes_page`` writes it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from gateway_shadow.openapi import COMMON
from spendgate import __version__

PAGE = Path(__file__).resolve().parents[1] / "docs" / "routes.md"
_HEAD = """# All routes

Written by `make schemas` from the API's own document, which has the fields: `/openapi.json` of a door, or `/docs`.
[The HTTP door](http.md) tells of them in context. A route of `/v1` needs a key or a session, see
[who may what](http.md#managing).
"""
_TITLES: dict[str | None, str] = {None: "The door itself"}


def page_of(document: dict[str, Any]) -> str:
    """The page of an OpenAPI document."""
    found: dict[str | None, list[str]] = {}
    for path, method, operation in _operations(document):
        tag = next(iter(operation.get("tags", [])), None)
        found.setdefault(tag, []).append(f"| `{method} {path}` | {_sentence(operation.get('description', ''))} |")
    parts = [_HEAD]
    for tag, lines in sorted(found.items(), key=lambda each: (each[0] is None, each[0] or "")):
        title = _TITLES.get(tag) or str(tag).capitalize()
        parts.append("\n".join([f"## {title}", "", "| route | |", "| --- | --- |", *lines, ""]))
    return "\n".join(parts)


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in sorted(document["paths"].items()):
        for method, operation in methods.items():
            yield path, method.upper(), operation


def _sentence(text: str) -> str:
    """The first one, on one line of a table."""
    words = " ".join(text.split()).replace("|", "\\|")
    first, stop, _ = words.partition(". ")
    return first.removesuffix(".") if stop else words.removesuffix(".")


def document() -> dict[str, Any]:
    """The API's document, of a door with every route there is; no store, no Kafka and no settings are asked for."""
    from gateway_shadow.app import BY_PROVIDER, ROUTES

    app = FastAPI(title="Spendgate", version=__version__, responses=COMMON, redirect_slashes=False)
    for each in (*ROUTES, *BY_PROVIDER):
        app.include_router(each.router)
    return app.openapi()


if __name__ == "__main__":
    PAGE.write_text(page_of(document()))
