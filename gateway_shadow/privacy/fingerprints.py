"""Fingerprints of what was said: HMAC-SHA-256 under a secret key of the tenant, whose id the text names.

A plain hash of a short prompt can be found by trying; one under a secret key only by whoever has the key. Two contents
have the same fingerprint under one key if they are the same JSON, whatever the order of names and the spaces.
"""

import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgspec

from spendgate.model.unreadable import UNREADABLE

FORM = "hmac-sha256"
_encode = msgspec.json.Encoder(order="sorted", decimal_format="number").encode
_decode = msgspec.json.Decoder().decode


class NoJson(ValueError):
    """A value that cannot be written as JSON, or read back: too deep, or a number that is none."""


@dataclass(frozen=True)
class Secret:
    """A secret key, opened."""

    id: str
    key: bytes = field(repr=False)


def canonical(value: Any) -> bytes:
    """A value as compact JSON in UTF-8, names sorted: the same bytes for the same content. Raises NoJson."""
    try:
        return _encode(_decode(_encode(value)))
    except (*UNREADABLE, msgspec.MsgspecError, ArithmeticError, ValueError, TypeError):
        raise NoJson from None


def fingerprint(secret: Secret, content: bytes) -> str:
    """``hmac-sha256:<key id>:<64 hex digits>`` of canonical bytes."""
    return f"{FORM}:{secret.id}:{hmac.new(secret.key, content, sha256).hexdigest()}"
