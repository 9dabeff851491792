"""Ed25519 public keys, as settings write them: base64 of 32 bytes. Needs the ``services`` extra."""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class BadKey(ValueError):
    """Text that is no public key."""


def public_text(key: Ed25519PublicKey) -> str:
    """A public key as it stands in settings."""
    return b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def key_id(key: Ed25519PublicKey) -> str:
    """The first 16 hex digits of its SHA-256."""
    return sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


class PublicKeys:
    """The keys that may have signed; several while one is being replaced."""

    def __init__(self, texts: Iterable[str]) -> None:
        """``texts``: as ``public_text`` has them. Raises BadKey."""
        self._keys = {key_id(key): key for key in map(_public, texts)}

    def __contains__(self, name: object) -> bool:
        return name in self._keys

    def has_signed(self, content: bytes, signature: str) -> bool:
        """Whether ``signature``, ``<key id>:<base64>``, is that of a known key over exactly these bytes."""
        name, _, text = signature.partition(":")
        try:
            raw = b64decode(text, validate=True)
            # Several texts stand for the same bytes; only the one that an encoder writes is a signature.
            if name not in self._keys or b64encode(raw).decode() != text:
                return False
            self._keys[name].verify(raw, content)
        except (InvalidSignature, ValueError):
            return False
        return True


def _public(text: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(b64decode(text, validate=True))
    except (ValueError, NotBase64):
        raise BadKey("expected base64 of 32 bytes, as `spendgate admin public-key` prints") from None
