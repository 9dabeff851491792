"""A page from its template. Nothing in a page runs that is no file of ours, and nothing is fetched from elsewhere."""

import re
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.ext import Extension
from markupsafe import Markup
from starlette.responses import HTMLResponse

from gateway_shadow.callers import Caller
from gateway_shadow.pages import words
from gateway_shadow.pages.assets import address_of
from gateway_shadow.pages.dones import DONES
from gateway_shadow.pages.frame import frame_of
from gateway_shadow.pages.navigation import is_here
from gateway_shadow.parts import Parts

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # with no-referrer a browser would say `Origin: null` of our own forms
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class _Unindented(Extension):
    """Indentation is for whoever reads a template; a browser is not sent it."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """The source, each line from its first word."""
        return re.sub(r"(?m)^ +", "", source)


TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True, auto_reload=False, extensions=[_Unindented],
)  # fmt: skip
TEMPLATES.filters.update(
    usd=words.usd, count=words.count, calls=words.calls, when=words.when, duration=words.duration, ago=words.ago
)  # fmt: skip
TEMPLATES.globals.update(asset=address_of, dones=DONES, is_here=is_here, percent=words.percent)


def render(template: str, **said: Any) -> Markup:
    """A part of a page."""
    return Markup(TEMPLATES.get_template(template).render(**said))


def show(
    request: Request, parts: Parts, caller: Caller | None, template: str, status: int = 200, **said: Any
) -> HTMLResponse:
    """The page. ``said``: what its template names."""
    frame = frame_of(request, parts, caller)
    text = TEMPLATES.get_template(template).render(frame=frame, done=request.query_params.get("done", ""), **said)
    return HTMLResponse(text, status, HEADERS)
