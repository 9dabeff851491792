"""Where people's browsers find the door, and what follows from it: cookies, and which requests come from our own pages.

Cookies are as OWASP's session management has them: no script reads them, no other site's form sends them, and where the
address is https their name begins with ``__Host-``, so that no other host or path can have set them (RFC 6265bis,
section 4.1.3).
"""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from gateway_shadow.problems import Problem

SECURE_COOKIE, PLAIN_COOKIE = "__Host-spendgate", "spendgate"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")


@dataclass(frozen=True, slots=True)
class Site:
    """``public_url``: scheme, host and port as browsers see them; where it is not said, what a request itself says."""

    public_url: str | None = None

    def origin(self, request: Request) -> str:
        """The origin of our own pages."""
        return self.public_url or f"{request.url.scheme}://{request.headers.get('host', '')}"

    def cookie(self, request: Request, suffix: str = "") -> str:
        """The name of a cookie of ours."""
        return (SECURE_COOKIE if self._is_secure(request) else PLAIN_COOKIE) + suffix

    def session_text(self, request: Request) -> str:
        """What the browser has sent as its session."""
        return request.cookies.get(self.cookie(request), "") if "cookie" in request.headers else ""

    def keep(self, request: Request, response: Response, text: str, lasts_s: int, suffix: str = "") -> None:
        """Have the browser keep a cookie; for 0 seconds: forget it."""
        response.set_cookie(
            self.cookie(request, suffix), text, max_age=lasts_s, path="/", httponly=True, samesite="lax",
            secure=self._is_secure(request),
        )  # fmt: skip

    def _is_secure(self, request: Request) -> bool:
        return self.origin(request).startswith("https://")

    def require_own_page(self, request: Request) -> None:
        """Raises Problem unless the browser says that the request comes from a page of ours. Browsers of today send
        ``Origin`` with all that changes something, and ``Sec-Fetch-Site`` with everything."""
        origin, fetched = request.headers.get("origin"), request.headers.get("sec-fetch-site")
        if fetched not in (None, "same-origin") or origin not in (None, self.origin(request)):
            raise _other_site("expected a request from a page of this door, opened at its public address")
        if origin is None and fetched is None:
            raise _other_site("expected a browser that says by Origin or Sec-Fetch-Site where a request comes from")


def _other_site(words: str) -> Problem:
    return Problem(403, "other_site", words)
