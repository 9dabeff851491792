"""The OpenID Connect provider, through authlib: discovery, the way there with PKCE, and what comes back, checked.

Checked are (OpenID Connect Core 1.0, section 3.1.3.7): the signature by the provider's published keys and by an allowed
algorithm, issuer, audience and authorised party, nonce, expiry and the time it was issued, with the stated skew.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuthError, StarletteOAuth2App
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError

from gateway_shadow.login.config import OidcConfig, is_safe_url
from gateway_shadow.login.grants import claim

log = logging.getLogger(__name__)

TIMEOUT_S = 5.0
METADATA_S = 3600.0
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_OPTIONAL = ("userinfo_endpoint", "end_session_endpoint")
_LISTS = ("id_token_signing_alg_values_supported", "token_endpoint_auth_methods_supported")
_FLAG = "authorization_response_iss_parameter_supported"


class ProviderAway(Exception):
    """It does not answer, or not as a provider does. The message is fit for a user."""


class SignInRefused(Exception):
    """What it answered is not to be believed, or it has said no. ``code`` names the kind."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


class Way(NamedTuple):
    """Where to send a browser, and what must come back from there."""

    url: str
    state: str
    nonce: str
    verifier: str


class Arrived(NamedTuple):
    """Who came: their claims, checked, and the ID token that said so."""

    claims: Mapping[str, Any]
    id_token: str

    @property
    def subject(self) -> str:
        """The account, by its identifier at the provider."""
        return str(self.claims["sub"])


@dataclass
class Provider:
    """``back``: the address that it sends people back to. ``clock``: monotonic seconds."""

    config: OidcConfig
    back: str
    clock: Callable[[], float] = time.monotonic
    _app: Any = None
    _loaded_s: float = 0.0

    async def way(self) -> Way:
        """The way there, for one browser. Raises ProviderAway."""
        app = await self._ready()
        with _told():
            found = await app.create_authorization_url(self.back)
        return Way(found["url"], found["state"], found["nonce"], found["code_verifier"])

    async def arrived(self, code: str, verifier: str, nonce: str, iss: str | None) -> Arrived:
        """Who comes back with a code. ``iss``: as the answer names its sender (RFC 9207). Raises ProviderAway,
        SignInRefused."""
        app = await self._ready()
        if iss not in (None, self.config.issuer) or (iss is None and app.server_metadata.get(_FLAG)):
            raise SignInRefused("bad_issuer", "the answer is not of the provider that was asked")
        with _told():
            token = await app.fetch_access_token(self.back, code=code, code_verifier=verifier)
        if "id_token" not in token:
            raise SignInRefused("no_id_token", "the provider sent no ID token")
        try:
            with _told():
                found = await app.parse_id_token(token, nonce, self._expected(), leeway=self.config.skew_s)
                claims = await self._completed(app, token, dict(found))
        except SignInRefused:
            self._app = None  # its keys may have changed without a new name: they are read anew the next time
            raise
        return Arrived(claims, str(token["id_token"]))

    async def way_out(self, id_token: str | None, back: str) -> str | None:
        """Where a browser signs out at the provider too (RP-Initiated Logout 1.0); None where it has no such place."""
        try:
            app = await self._ready()
        except ProviderAway:
            return None
        if "end_session_endpoint" not in app.server_metadata:
            return None
        found = await app.create_logout_url(back, id_token, client_id=self.config.client_id)
        return str(found["url"])

    def _expected(self) -> dict[str, dict[str, Any]]:
        return {
            "iss": {"essential": True, "value": self.config.issuer},
            "aud": {"essential": True, "value": self.config.client_id},
        }

    async def _completed(self, app: Any, token: Any, claims: dict[str, Any]) -> dict[str, Any]:
        """Claims that the ID token lacks, from the provider's userinfo, if that is of the same subject."""
        wanted = (self.config.groups_claim, self.config.person_claim)
        if all(claim(claims, name) is not None for name in wanted) or "userinfo_endpoint" not in app.server_metadata:
            return claims
        more = await app.userinfo(token=token)
        if more.get("sub") != claims["sub"]:
            raise SignInRefused("bad_subject", "the provider's answers are of two different accounts")
        return {**more, **claims}

    async def _ready(self) -> Any:
        """authlib's client, with what the provider says of itself; read anew now and then. Raises ProviderAway."""
        if self._app is None or self.clock() - self._loaded_s > METADATA_S:
            try:
                self._app = await self._loaded()
            except ProviderAway:
                if self._app is None:
                    raise
            self._loaded_s = self.clock()
        return self._app

    async def _loaded(self) -> Any:
        app = StarletteOAuth2App(
            None, "oidc", client_id=self.config.client_id, client_secret=self.config.client_secret,
            server_metadata_url=f"{self.config.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={"scope": self.config.scopes, "code_challenge_method": "S256", "timeout": TIMEOUT_S},
        )  # fmt: skip
        with _told():
            said = await app.load_server_metadata()
        app.server_metadata = self._taken(said)
        basic, post = "client_secret_basic", "client_secret_post"
        methods = said.get("token_endpoint_auth_methods_supported") or [basic]
        if self.config.client_secret and basic not in methods and post in methods:
            app.client_kwargs["token_endpoint_auth_method"] = post
        return app

    def _taken(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Of what a provider says of itself, what is needed: authlib takes all of it for settings."""
        if said.get("issuer") != self.config.issuer:
            log.error("the provider calls itself by another issuer than SPENDGATE_OIDC_ISSUER")
            raise _unfit("it calls itself by another issuer than SPENDGATE_OIDC_ISSUER")
        taken = {name: said[name] for name in (*_ENDPOINTS, *_OPTIONAL) if said.get(name)}
        if not all(name in taken for name in _ENDPOINTS) or not all(map(is_safe_url, taken.values())):
            raise _unfit("expected https addresses for authorization, token and keys")
        algorithms = [each for each in said.get(_LISTS[0]) or ["RS256"] if each in self.config.algorithms]
        if not algorithms:
            raise _unfit(f"it signs with none of {', '.join(self.config.algorithms)}")
        return {
            **taken,
            "issuer": self.config.issuer,
            _LISTS[0]: algorithms,
            _FLAG: bool(said.get(_FLAG)),
            "_loaded_at": 1,
        }


def _unfit(words: str) -> ProviderAway:
    return ProviderAway(f"the identity provider is not as expected: {words}")


@contextmanager
def _told() -> Iterator[None]:
    """What a provider can do wrong, in words; never its own, which may hold what was sent to it."""
    try:
        yield
    except httpx2.HTTPStatusError as error:
        raise ProviderAway(f"the identity provider answers {error.response.status_code}") from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise ProviderAway(f"the identity provider does not answer ({type(error).__name__})") from None
    except OAuthError as error:
        raise SignInRefused("code_refused", f"the provider refused the sign-in ({_known(error.error)})") from None
    except (ExpiredTokenError, InvalidClaimError, MissingClaimError) as error:
        raise SignInRefused(
            "bad_id_token", f"the ID token is not for this sign-in: {_CLAIMS.get(error.claim, 'a claim')}"
        ) from None
    except JoseError as error:
        raise SignInRefused("bad_id_token", f"the ID token cannot be trusted ({type(error).__name__})") from None
    except (AuthlibBaseError, ValueError, TypeError, KeyError, RuntimeError, AttributeError) as error:
        raise ProviderAway(f"the identity provider does not answer as one ({type(error).__name__})") from None


_ERRORS = (
    "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
    "invalid_scope", "access_denied", "server_error", "temporarily_unavailable", "login_required",
    "interaction_required", "consent_required", "account_selection_required",
)  # fmt: skip
_CLAIMS = {
    "exp": "it has expired", "iat": "it was issued in the future", "nbf": "it is not good yet", "iss": "another issuer",
    "aud": "another audience", "azp": "another party", "nonce": "another nonce", "at_hash": "another access token",
}  # fmt: skip


def _known(error: object) -> str:
    """An error code of OAuth 2.0 or OpenID Connect; nothing else is repeated."""
    return error if isinstance(error, str) and error in _ERRORS else "another error"


def refusal_of(error: str) -> SignInRefused:
    """What the provider said instead of sending a code."""
    return SignInRefused("provider_refused", f"the provider did not sign you in ({_known(error)})")
