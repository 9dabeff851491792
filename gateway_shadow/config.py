"""Where the door finds its servers, and its limits: all from the environment."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from gateway_shadow.alerting.addresses import Allowed
from gateway_shadow.login.config import BadLogin, LoginConfig, read_login
from spendgate.kafka_security import kafka_security
from spendgate.prices.events import Mode

PREFIX = "SPENDGATE_"


class Misconfigured(Exception):
    """A setting is missing or wrong. The message names it and what was expected."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one request: bytes of its body as sent and as unpacked, items, seconds until it is answered, and seconds that
    Kafka has to acknowledge. Of all together: bytes that wait for Kafka. ``check_s``: the time budget of
    a check."""

    body_bytes: int = 4 * 2**20
    unpacked_bytes: int = 16 * 2**20
    items: int = 10_000
    request_s: float = 30.0
    acknowledged_s: float = 10.0
    waiting_bytes: int = 64 * 2**20
    check_s: float = 0.05


@dataclass(frozen=True, slots=True)
class Config:
    """SPENDGATE_KAFKA, SPENDGATE_STORE (the policy store's URL), SPENDGATE_STORE_KEY_FILE (its private key),
    SPENDGATE_LEDGER (a folder or URL; simulations need it), SPENDGATE_REDIS (checks need it), SPENDGATE_HTTP_HOST
    (default 127.0.0.1), SPENDGATE_HTTP_PORT (default 8080), SPENDGATE_PRICE (``given``, ``missing``, ``recomputed``;
    default ``missing``), SPENDGATE_PRICE_BOOK (a price table over the list prices), SPENDGATE_HTTP_ACKNOWLEDGED_S
    (default 10: how long Kafka may take to acknowledge), SPENDGATE_CHECK_S (default 0.05: the time budget of a check),
    SPENDGATE_JOBS (default 2: simulations at a time, of stored versions, and as many of drafts),
    SPENDGATE_STORE_KEYS (public keys of the policy store, comma separated, whose certificates hold beside those of its
    private key; default: none), SPENDGATE_ENFORCEMENT_KEYS (public keys of the enforcement agents, comma separated;
    without them nothing can be enforced here), SPENDGATE_HOME_TENANT (whose operators may turn the global flag;
    default: the only tenant, where there is one), SPENDGATE_ALERTS_ALLOW (hosts and networks, parted by commas, to
    which alerts may go though they are not public, and unencrypted); for privacy SPENDGATE_MASTER_KEY_FILE
    (fingerprints and kept content need it),
    SPENDGATE_CONTENT_STORE (a database's URL; kept content needs it), SPENDGATE_PRIVACY_MODEL (a spaCy model's folder;
    redacted free text needs it); and how people sign in (``login/config.py``)."""

    kafka: str
    store: str
    key_file: Path
    ledger: str | None = None
    redis: str | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    price: Mode = "missing"
    price_book: Path | None = None
    security: Mapping[str, Any] = field(default_factory=dict, repr=False)
    limits: Limits = field(default_factory=Limits)
    jobs: int = 2
    enforcement_keys: tuple[str, ...] = ()
    store_keys: tuple[str, ...] = ()
    home_tenant: str | None = None
    login: LoginConfig = field(default_factory=LoginConfig)
    alerts_allow: Allowed = field(default_factory=Allowed)
    master_key_file: Path | None = None
    content_store: str | None = None
    privacy_model: Path | None = None

    @classmethod
    def from_environment(cls) -> "Config":
        """Raises Misconfigured, and Failure for the security of Kafka."""
        missing = [PREFIX + name for name in ("KAFKA", "STORE", "STORE_KEY_FILE") if not _said(name)]
        if missing:
            raise Misconfigured(f"expected {' and '.join(missing)} in the environment")
        port, price, book = _said("HTTP_PORT") or "8080", _said("PRICE") or "missing", _said("PRICE_BOOK")
        if not port.isdecimal() or int(port) > 65535:
            raise Misconfigured("SPENDGATE_HTTP_PORT: expected a port")
        if price not in get_args(Mode):
            raise Misconfigured(f"SPENDGATE_PRICE: expected one of {', '.join(get_args(Mode))}")
        return cls(
            _said("KAFKA") or "", _said("STORE") or "", Path(_said("STORE_KEY_FILE") or ""), _said("LEDGER"),
            _said("REDIS"),
            _said("HTTP_HOST") or "127.0.0.1", int(port), price,  # type: ignore[arg-type]  # (just looked up)
            Path(book) if book else None, _aiokafka(kafka_security()),
            Limits(
                acknowledged_s=_seconds("HTTP_ACKNOWLEDGED_S", Limits().acknowledged_s),
                check_s=_seconds("CHECK_S", Limits().check_s),
            ), _jobs(),
            enforcement_keys=_keys("ENFORCEMENT_KEYS"),
            store_keys=_keys("STORE_KEYS"),
            home_tenant=_said("HOME_TENANT"),
            login=_login(),
            alerts_allow=_allowed(),
            master_key_file=_path("MASTER_KEY_FILE"),
            content_store=_said("CONTENT_STORE"),
            privacy_model=_path("PRIVACY_MODEL"),
        )  # fmt: skip


def _said(name: str) -> str | None:
    return os.environ.get(PREFIX + name) or None


def _login() -> LoginConfig:
    try:
        return read_login()
    except BadLogin as error:
        raise Misconfigured(str(error)) from None


def _keys(name: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in (_said(name) or "").split(",") if each.strip())


def _path(name: str) -> Path | None:
    found = _said(name)
    return None if found is None else Path(found)


def _jobs() -> int:
    text = _said("JOBS") or "2"
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 64):
        raise Misconfigured(f"{PREFIX}JOBS: expected how many simulations may run at a time, from 1 to 64")
    return int(text)


def _allowed() -> Allowed:
    try:
        return Allowed.parse(_said("ALERTS_ALLOW") or "")
    except ValueError as error:
        raise Misconfigured(f"{PREFIX}ALERTS_ALLOW: {error}") from None


def _seconds(name: str, otherwise: float) -> float:
    text = _said(name)
    try:
        found = otherwise if text is None else float(text)
    except ValueError:
        found = -1.0
    if not 0 < found <= 25:
        raise Misconfigured(f"{PREFIX}{name}: expected seconds, above 0 and at most 25")
    return found


def _aiokafka(said: Mapping[str, str]) -> dict[str, Any]:
    """The keywords of aiokafka's clients."""
    found: dict[str, Any] = {name: value for name, value in said.items() if name != "ssl_cafile"}
    if found.get("security_protocol", "PLAINTEXT").endswith("SSL"):
        found["ssl_context"] = ssl.create_default_context(cafile=said.get("ssl_cafile"))
    return found
