"""How people are let in: all from the environment. Nothing of a provider is there unless one is named."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from gateway_shadow.login.grants import GrantRule, rules_json
from gateway_shadow.login.grants_file import Unreadable, read_grants

PREFIX, OIDC = "SPENDGATE_", "SPENDGATE_OIDC_"
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Signatures by a key that the provider alone has; nothing symmetric, and never none (RFC 8725, section 3.2)."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_REQUIRED = ("ISSUER", "CLIENT_ID", "GRANTS_FILE")
_KNOWN = {
    *_REQUIRED, "CLIENT_SECRET_FILE", "NAME", "SCOPES", "ALGORITHMS", "GROUPS_CLAIM", "PERSON_CLAIM",
    "EMAIL_UNVERIFIED", "TENANTS", "SKEW_S", "KEY_S",
}  # fmt: skip


class BadLogin(Exception):
    """A setting is missing or wrong. The message names it and what was expected."""


@dataclass(frozen=True, slots=True)
class OidcConfig:
    """SPENDGATE_OIDC_ISSUER, _CLIENT_ID, _CLIENT_SECRET_FILE (none: a public client), _GRANTS_FILE (which group may
    what, where), _TENANTS (only these; default: all of the file), _GROUPS_CLAIM (default ``groups``), _PERSON_CLAIM
    (default ``email``), _EMAIL_UNVERIFIED (``refused`` or ``taken``), _SCOPES, _ALGORITHMS (default RS256 and ES256),
    _NAME (on the button), _SKEW_S (default 60: how far clocks may differ), _KEY_S (default 43200: how long a command's
    key lasts)."""

    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    rules: tuple[GrantRule, ...]
    groups_claim: str = "groups"
    person_claim: str = "email"
    takes_unverified_email: bool = False
    scopes: str = "openid email profile"
    algorithms: tuple[str, ...] = ("RS256", "ES256")
    name: str = "your organisation"
    skew_s: int = 60
    key_s: int = 43_200

    @property
    def rules_sha256(self) -> str:
        """Names the rules by which people are let in: a session from under other rules is over."""
        said = [self.issuer, self.client_id, self.groups_claim, self.person_claim, str(self.takes_unverified_email)]
        return sha256("\n".join([*said, rules_json(self.rules)]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class LoginConfig:
    """SPENDGATE_PUBLIC_URL (how browsers find the door, such as https://spend.example.com), SPENDGATE_SESSION_S
    (default 43200: how long a session lasts), SPENDGATE_SESSION_IDLE_S (default 3600), and a provider, if one is
    named."""

    public_url: str | None = None
    session_s: int = 43_200
    idle_s: int = 3_600
    oidc: OidcConfig | None = None


def read_login(environ: Mapping[str, str] = os.environ) -> LoginConfig:
    """What the environment says. Raises BadLogin."""
    url = environ.get(f"{PREFIX}PUBLIC_URL")
    return LoginConfig(
        None if not url else _address(f"{PREFIX}PUBLIC_URL", url, has_path=False),
        _whole(environ, f"{PREFIX}SESSION_S", 43_200, 60, 30 * 86_400),
        _whole(environ, f"{PREFIX}SESSION_IDLE_S", 3_600, 60, 30 * 86_400),
        _oidc(
            {name.removeprefix(OIDC): value for name, value in environ.items() if name.startswith(OIDC) and value}, url
        ),
    )


def _oidc(said: Mapping[str, str], public_url: str | None) -> OidcConfig | None:
    if not said:
        return None
    if unknown := sorted(said.keys() - _KNOWN):
        raise BadLogin(f"{OIDC}{unknown[0]}: there is no setting of this name")
    if missing := [name for name in _REQUIRED if name not in said]:
        raise BadLogin(f"expected {' and '.join(OIDC + name for name in missing)} in the environment")
    if not public_url:
        raise BadLogin(f"expected {PREFIX}PUBLIC_URL in the environment: a provider sends people back there")
    others = OidcConfig("", "", None, ())
    return OidcConfig(
        _address(f"{OIDC}ISSUER", said["ISSUER"], has_path=True), said["CLIENT_ID"],
        _secret(said.get("CLIENT_SECRET_FILE")), _rules(said),
        groups_claim=said.get("GROUPS_CLAIM", others.groups_claim),
        person_claim=said.get("PERSON_CLAIM", others.person_claim),
        takes_unverified_email=_one_of(said, "EMAIL_UNVERIFIED", ("refused", "taken")) == "taken",
        scopes=_scopes(said.get("SCOPES", others.scopes)),
        algorithms=_several(said, "ALGORITHMS", ALGORITHMS, others.algorithms),
        name=said.get("NAME", others.name),
        skew_s=_whole(said, "SKEW_S", others.skew_s, 0, 300),
        key_s=_whole(said, "KEY_S", others.key_s, 60, 30 * 86_400),
    )  # fmt: skip


def _rules(said: Mapping[str, str]) -> tuple[GrantRule, ...]:
    try:
        rules = read_grants(Path(said["GRANTS_FILE"]))
    except Unreadable as error:
        raise BadLogin(f"{OIDC}GRANTS_FILE: {error}") from None
    tenants = [each.strip() for each in said.get("TENANTS", "").split(",") if each.strip()]
    if unknown := [each for each in tenants if each not in {rule.tenant for rule in rules}]:
        raise BadLogin(f"{OIDC}TENANTS: expected tenants of {OIDC}GRANTS_FILE; {unknown[0]} is none")
    return tuple(rule for rule in rules if not tenants or rule.tenant in tenants)


def _secret(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        found = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        found = ""
    if not found:
        raise BadLogin(f"{OIDC}CLIENT_SECRET_FILE: expected a file that can be read and holds the secret")
    return found


def is_safe_url(url: str) -> bool:
    """Whether an address is https, or on this very machine."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (
            parts.scheme == "https" or (parts.scheme, parts.hostname in _LOOPBACK) == ("http", True)
        )
    except ValueError:
        return False


def _address(name: str, url: str, *, has_path: bool) -> str:
    parts = urlsplit(url if is_safe_url(url) else "")
    if (
        not parts.hostname
        or parts.username
        or parts.query
        or parts.fragment
        or (not has_path and parts.path not in ("", "/"))
    ):
        path = "" if has_path else ", and no path"
        raise BadLogin(f"{name}: expected an address that begins with https:// (http:// on this machine alone){path}")
    return url if has_path else url.rstrip("/")


def _whole(said: Mapping[str, str], name: str, otherwise: int, least: int, most: int) -> int:
    text = said.get(name) or str(otherwise)
    if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
        full = name if name.startswith(PREFIX) else OIDC + name
        raise BadLogin(f"{full}: expected whole seconds, from {least} to {most}")
    return int(text)


def _one_of(said: Mapping[str, str], name: str, words: tuple[str, ...]) -> str:
    found = said.get(name, words[0])
    if found not in words:
        raise BadLogin(f"{OIDC}{name}: expected one of {', '.join(words)}")
    return found


def _several(said: Mapping[str, str], name: str, words: tuple[str, ...], otherwise: tuple[str, ...]) -> tuple[str, ...]:
    found = tuple(each.strip() for each in said.get(name, ",".join(otherwise)).split(","))
    if not set(found) <= set(words):
        raise BadLogin(f"{OIDC}{name}: expected some of {', '.join(words)}, parted by commas")
    return found


def _scopes(text: str) -> str:
    found = text.split()
    if "openid" not in found:
        raise BadLogin(f"{OIDC}SCOPES: expected openid among them")
    return " ".join(found)
