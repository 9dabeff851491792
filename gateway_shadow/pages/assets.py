"""Our own style and scripts, from memory; their addresses hold a hash of their content, so a browser keeps them."""

from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Response

from gateway_shadow.problems import Problem

router = APIRouter(include_in_schema=False)

_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FILES = {path.name: (path.read_bytes(), _KINDS[path.suffix]) for path in (Path(__file__).parent / "assets").iterdir()}
_KEPT = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


def address_of(name: str) -> str:
    """Where a page finds an asset."""
    return f"/assets/{sha256(_FILES[name][0]).hexdigest()[:12]}/{name}"


@router.get("/assets/{version}/{name}")
async def asset(version: str, name: str) -> Response:
    """An asset; it is the same for everyone, and asks for no session."""
    if name not in _FILES:
        raise Problem(404, "not_found", "there is no asset of this name")
    body, kind = _FILES[name]
    return Response(body, media_type=kind, headers=_KEPT)
