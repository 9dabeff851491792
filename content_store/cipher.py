"""Content at rest: AES-256-GCM under a data key of its tenant, bound to the call that it belongs to.

A data key is 32 random bytes; it lies in the policy store, sealed under the operator's master key, and never here. What
is bound (tenant, source, id, mode, time, key) stands beside it in clear; changed or moved to another row, content does
not open. A nonce is 96 random bits: a key is good for 2^32 contents, and is to be rotated long before.
"""

import json
import secrets
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from spendgate.model.event import PrivacyMode

NONCE_BYTES = 12


class Unreadable(Exception):
    """Content that has been changed or moved, or was encrypted with another key."""


class About(NamedTuple):
    """Whose content it is. ``kept_ms``: since when; ``until_ms``: when it goes, by the retention of then."""

    tenant: str
    source: str
    event_id: str
    mode: PrivacyMode
    kept_ms: int
    until_ms: int
    key_id: str

    @property
    def bound(self) -> bytes:
        """What the content is bound to."""
        return json.dumps(list(self)).encode()


def seal(key: bytes, plain: bytes, about: About) -> bytes:
    """The nonce and the encrypted content."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, about.bound)


def unseal(key: bytes, sealed: bytes, about: About) -> bytes:
    """The content. Raises Unreadable."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about.bound)
    except (InvalidTag, ValueError):
        raise Unreadable from None
