"""An OpenID Connect provider over real HTTP: oidc-provider-mock, which here also holds its clients to PKCE, and can be
made to say what no honest one would."""

import hmac
import json
import logging
import os
import threading
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import flask
import httpx
import werkzeug.serving
from authlib.deprecate import AuthlibDeprecationWarning
from joserfc import jwt
from joserfc.jwk import RSAKey

with warnings.catch_warnings():  # it uses authlib.jose, which says at once that it is deprecated
    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    import oidc_provider_mock

logging.getLogger("werkzeug").setLevel(logging.WARNING)

CLIENT, SECRET = "spendgate", "a-secret-of-the-client-5e"
GRANTS = """\
grants:
  - {group: finance, tenant: acme, role: approver}
  - {group: engineers, tenant: acme, role: editor}
  - {group: everybody, tenant: acme, role: viewer}
  - {group: platform, tenant: acme, role: operator}
  - {group: platform, tenant: labs, role: viewer}
  - {group: nowhere, tenant: not-made, role: viewer}
"""
Claims = dict[str, Any]


@dataclass
class Provider:
    """``amend``: what it does to the claims of the next ID tokens; ``alg``: how it signs them, if not as it should;
    ``metadata``: what it says of itself besides; ``broken``: paths that answer 500."""

    app: flask.Flask
    server: werkzeug.serving.BaseWSGIServer
    amend: Callable[[Claims], None] = lambda _: None
    alg: str = "RS256"
    metadata: dict[str, Any] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    _challenges: dict[str, str] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        """Its address."""
        return f"http://localhost:{self.server.server_port}"

    def settings(self, folder: Path, **others: str) -> dict[str, str]:
        """The environment of a door that lets its people in."""
        (folder / "grants.yaml").write_text(GRANTS)
        (folder / "secret").write_text(f"{SECRET}\n")
        return {
            "SPENDGATE_OIDC_ISSUER": self.issuer, "SPENDGATE_OIDC_CLIENT_ID": CLIENT,
            "SPENDGATE_OIDC_CLIENT_SECRET_FILE": str(folder / "secret"),
            "SPENDGATE_OIDC_GRANTS_FILE": str(folder / "grants.yaml"), **others,
        }  # fmt: skip

    def person(self, sub: str, email: str, /, *groups: str, **others: Any) -> str:
        """Make an account; its subject."""
        claims = {"email": email, "email_verified": True, "groups": list(groups), **others}
        httpx.put(f"{self.issuer}/users/{sub}", json=claims).raise_for_status()
        return sub

    def honest(self) -> None:
        """From now on it is one again."""
        self.amend, self.alg, self.metadata, self.broken = lambda _: None, "RS256", {}, set()

    def _before(self) -> Any:
        path = flask.request.path
        self.seen.append((path, flask.request.values.to_dict()))
        if path in self.broken:
            return "out of order", 500
        if path == "/oauth2/token":
            challenge = _base64(sha256(flask.request.form.get("code_verifier", "").encode()).digest())
            basic = flask.request.authorization
            if self._challenges.pop(flask.request.form["code"], None) != challenge:
                return flask.jsonify({"error": "invalid_grant", "error_description": "PKCE: sentinel-7f"}), 400
            if basic is None or (basic.username, basic.password) != (CLIENT, SECRET):
                return flask.jsonify({"error": "invalid_client"}), 401
        return None

    def _after(self, answer: flask.Response) -> flask.Response:
        path = flask.request.path
        if path == "/oauth2/authorize" and answer.status_code == 302:
            found = parse_qs(urlsplit(answer.headers["Location"]).query)
            if "code" in found:
                assert flask.request.args["code_challenge_method"] == "S256"
                self._challenges[found["code"][0]] = flask.request.args["code_challenge"]
        if path == "/.well-known/openid-configuration" and answer.status_code == 200:
            answer.set_data(flask.json.dumps({**answer.get_json(), **self.metadata}))
        if path == "/oauth2/token" and answer.status_code == 200:
            token = answer.get_json()
            answer.set_data(flask.json.dumps({**token, "id_token": self._signed(token["id_token"])}))
        return answer

    def _signed(self, id_token: str) -> str:
        private = RSAKey.import_key(flask.g.oidc_provider_mock_storage.jwk.as_dict(is_private=True))
        claims = jwt.decode(id_token, private).claims
        self.amend(claims)
        header = {"alg": self.alg, "kid": private.kid or private.thumbprint()}
        if self.alg == "none":
            return f"{_part(header)}.{_part(claims)}."
        if self.alg == "HS256":  # the trick of old: the public key, as if it were a shared secret
            text = f"{_part(header)}.{_part(claims)}"
            return f"{text}.{_base64(hmac.digest(private.as_pem(private=False), text.encode(), sha256))}"
        if self.alg == "forged":
            return jwt.encode({**header, "alg": "RS256"}, claims, RSAKey.generate_key(2048))
        return jwt.encode(header, claims, private, algorithms=[self.alg])


def _part(value: Claims) -> str:
    return _base64(json.dumps(value).encode())


def _base64(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


@contextmanager
def provider(port: int = 0) -> Iterator[Provider]:
    """A provider that answers, until it is left."""
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # of authlib's server: it is spoken to on this machine alone
    app = oidc_provider_mock.app(require_nonce=True)
    server = werkzeug.serving.make_server("localhost", port, app, threaded=True)
    found = Provider(app, server)
    app.before_request_funcs.setdefault(None, []).append(found._before)
    app.after_request(found._after)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
