"""The certificate: the signed evidence on which a staging is enforced.

It stands as canonical JSON: UTF-8, keys sorted, no space, and in no other form is it accepted, so that any changed byte
is one too many. The signature is Ed25519 over all of it but itself.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, Protocol

import msgspec
from msgspec import Struct

from spendgate.model.activation import PolicyHash
from spendgate.model.event import Time
from spendgate.model.reconciliation import Interval, SourceRead, digest_of
from spendgate.model.text import Name
from spendgate.reconcile.gate import Evidence, Gate, GateCriterion, Subject, expires_ms
from spendgate.reconcile.gate_rules import GateRules

SKEW = timedelta(minutes=5)
"""So far may the clock of whoever issued it be ahead."""
_PREFIX = b"spendgate-certificate-v1\n"
Code = Literal[
    "unreadable", "not_canonical", "unknown_key", "bad_signature", "not_yet", "expired", "other_tenant",
    "other_staging", "other_policy", "other_version", "other_settings", "other_engine",
]  # fmt: skip


class Certificate(
    Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True, tag_field="kind",
    tag="certificate/v1",
):  # fmt: skip
    """What it says, and of what. ``offsets``: the partitions of the log that were replayed, and how far.
    ``reconciliation``: the id of the result and the SHA-256 of its message. ``rules``: the criteria that were in force;
    ``criteria``: what came of them. ``signature``: ``<key id>:<base64>``.
    """

    id: Name
    tenant: Name
    staging: Name
    policy: Name
    hash: PolicyHash
    settings: dict[str, int | str]
    engine_version: str
    observed: Interval
    offsets: tuple[SourceRead, ...]
    ledger_versions: dict[str, int]
    price_book_hash: str | None = None
    reconciliation: Name
    reconciliation_sha256: PolicyHash
    rules: dict[str, int]
    criteria: tuple[GateCriterion, ...]
    issued_at: Time
    expires_at: Time
    signature: str = ""


_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(Certificate).decode


class Signs(Protocol):
    """A private key."""

    def sign(self, content: bytes) -> str:
        """The signature of some bytes, ``<key id>:<base64>``."""


class Keys(Protocol):
    """Public keys by id."""

    def __contains__(self, name: object) -> bool: ...

    def has_signed(self, content: bytes, signature: str) -> bool:
        """Whether ``signature`` is that of a known key over exactly these bytes."""


class Problem(NamedTuple):
    """Why a certificate is refused: by name, for programs, and in words."""

    code: Code
    words: str


class Wanted(NamedTuple):
    """What a certificate must be of; what is None is not looked at."""

    tenant: str | None = None
    staging: str | None = None
    policy: str | None = None
    hash: str | None = None
    settings: Mapping[str, int | str] | None = None
    engine_version: str | None = None


def certify(signer: Signs, id_: str, found: Gate, subject: Subject, rules: GateRules, now_ms: int) -> Certificate:
    """The certificate of a gate that is ready, issued now. Raises ValueError for another one."""
    if found.state != "ready" or found.round is None:
        raise ValueError("certificate: expected a gate that is ready")
    unsigned = _of(id_, found.round, found.criteria, subject, rules, now_ms)
    return msgspec.structs.replace(unsigned, signature=signer.sign(signed_bytes(unsigned)))


def _of(
    id_: str, evidence: Evidence, criteria: tuple[GateCriterion, ...], subject: Subject, rules: GateRules, now_ms: int
) -> Certificate:
    result = evidence.result
    return Certificate(
        id=id_, tenant=subject.tenant, staging=subject.staging, policy=subject.policy.metadata.name,
        hash=subject.hash, settings=subject.settings.model_dump(), engine_version=subject.engine_version,
        observed=result.observed, offsets=result.sources, ledger_versions=result.ledger_versions,
        price_book_hash=result.price_book_hash, reconciliation=evidence.id, reconciliation_sha256=digest_of(result),
        rules=rules.model_dump(), criteria=criteria, issued_at=_instant(now_ms),
        expires_at=_instant(expires_ms(result, rules) or now_ms),
    )  # fmt: skip


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def signed_bytes(certificate: Certificate) -> bytes:
    """What is signed: the whole certificate but for the signature."""
    return _PREFIX + _encode(msgspec.structs.replace(certificate, signature=""))


def encode_certificate(certificate: Certificate) -> bytes:
    """Its canonical form, the only one."""
    return _encode(certificate)


def read(raw: bytes) -> Certificate | Problem:
    """The certificate that stands there, not verified; one line feed at the end is no part of it."""
    raw = raw.removesuffix(b"\n")
    try:
        found = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Problem("unreadable", "expected a certificate, as `spendgate certificate show --raw` prints it")
    if _encode(found) != raw:
        return Problem("not_canonical", "expected the canonical form, to the byte; this one was written anew")
    return found


def verify(raw: bytes, keys: Keys, now: datetime, wanted: Wanted = Wanted()) -> Problem | None:  # noqa: B008
    """What is wrong with a certificate, the first thing found; None if it is valid now and of what is wanted."""
    found = read(raw)
    if isinstance(found, Problem):
        return found
    return _signature(found, keys) or _time(found, now) or _other(found, wanted)


def _signature(found: Certificate, keys: Keys) -> Problem | None:
    if found.signature.partition(":")[0] not in keys:
        return Problem("unknown_key", "expected the signature of a key that is known here")
    if not keys.has_signed(signed_bytes(found), found.signature):
        return Problem("bad_signature", "expected exactly what was signed: something in it was changed")
    return None


def _time(found: Certificate, now: datetime) -> Problem | None:
    if now >= found.expires_at:
        return Problem("expired", f"expected one that holds now; this one ended at {found.expires_at:%Y-%m-%d %H:%M}Z")
    if now < found.issued_at - SKEW:
        return Problem("not_yet", f"expected one that holds now; this one is of {found.issued_at:%Y-%m-%d %H:%M}Z")
    return None


_OTHERS: tuple[tuple[str, Code, str], ...] = (
    ("tenant", "other_tenant", "expected one of this tenant"),
    ("policy", "other_policy", "expected one of this policy"),
    ("hash", "other_version", "expected one of this version of the policy"),
    ("staging", "other_staging", "expected one of this staging"),
    ("settings", "other_settings", "expected one under the tenant's settings as they are"),
    ("engine_version", "other_engine", "expected one by the engine that runs here"),
)


def _other(found: Certificate, wanted: Wanted) -> Problem | None:
    for name, code, words in _OTHERS:
        asked = getattr(wanted, name)
        if asked is not None and getattr(found, name) != asked:
            return Problem(code, words)
    return None
