"""A key by way of a browser: the person signs in there, and the browser brings a code back to this command.

As for native apps (RFC 8252): the command listens on the loopback address, on a port of the system's choosing, for the
one answer with its own state; and only it can use the code, for it keeps a secret (PKCE, RFC 7636).
"""

import hmac
import secrets
import time
import webbrowser
from base64 import urlsafe_b64encode
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

from spendgate.cli.api_client import opened_api
from spendgate.cli.say import asked_for, notice
from spendgate.failure import NEEDED, Failure

WAITS_S = 300.0
_PAGE = "<!doctype html><html lang=en><meta charset=utf-8><title>Spendgate</title><p>{}</p></html>"


class Wanted(NamedTuple):
    """Which key, if there are several; ``paste``: the code comes by hand."""

    tenant: str
    role: str
    paste: bool


def key_by_browser(url: str, wanted: Wanted) -> str:
    """The text of a new key of whoever signs in. Raises Failure."""
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
    code = _pasted(url, wanted, verifier, state) if wanted.paste else _brought(url, wanted, verifier, state)
    opened = opened_api(url, "")
    try:
        made = opened.ask("POST", "/login/cli/token", json={"code": code, "verifier": verifier})
    finally:
        opened.close()
    notice(f"a key until {made['about']['expires_at']}")
    return str(made["key"])


def _address(url: str, wanted: Wanted, verifier: str, state: str, port: str) -> str:
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    said = {"port": port, "state": state, "challenge": challenge, "tenant": wanted.tenant, "role": wanted.role}
    return f"{url.rstrip('/')}/login/cli?{urlencode({name: value for name, value in said.items() if value})}"


def _pasted(url: str, wanted: Wanted, verifier: str, state: str) -> str:
    notice(f"open this in a browser: {_address(url, wanted, verifier, state, '')}")
    return asked_for("code")


def _brought(url: str, wanted: Wanted, verifier: str, state: str) -> str:
    with _Listener(state) as listener:
        address = _address(url, wanted, verifier, state, str(listener.server_port))
        notice(f"open this in a browser, if none opens by itself: {address}")
        webbrowser.open(address)
        return listener.code()


class _Listener(HTTPServer):
    """Waits on this machine alone for the browser to bring a code."""

    def __init__(self, state: str) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self._state = state
        self._code: str | None = None

    def code(self) -> str:
        """The code, once it comes. Raises Failure if it does not."""
        until_s = time.monotonic() + WAITS_S
        while self._code is None:
            self.timeout = until_s - time.monotonic()
            if self.timeout <= 0:
                raise Failure("nobody has signed in within five minutes", NEEDED)
            self.handle_request()
        return self._code

    def take(self, query: dict[str, list[str]]) -> bool:
        """Whether this is the answer that is waited for."""
        state, code = (query.get(name, [""])[-1] for name in ("state", "code"))
        if not code or not hmac.compare_digest(state.encode(), self._state.encode()):
            return False
        self._code = code
        return True

    def handle_error(self, *_: Any) -> None:
        """Who breaks off is no concern of the user's."""


class _Answer(BaseHTTPRequestHandler):
    server: _Listener
    timeout = 5.0

    def do_GET(self) -> None:
        taken = self.server.take(parse_qs(urlsplit(self.path).query))
        words = "Done: go back to the command line." if taken else "This is not the answer that the command waits for."
        body = _PAGE.format(words).encode()
        self.send_response(200 if taken else 400)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing: the address holds the code."""
