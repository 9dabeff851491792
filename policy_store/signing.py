"""The store's signature on what workers obey: Ed25519, over the record's canonical bytes."""

import os
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from policy_store.errors import Refused
from spendgate.model.activation import Activation, signed_bytes


def public_text(key: Ed25519PublicKey) -> str:
    """A public key as it stands in settings: base64 of its 32 bytes."""
    return b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def key_id(key: Ed25519PublicKey) -> str:
    """The first 16 hex digits of its SHA-256."""
    return sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


class Signer:
    """Signs activations."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.key_id = key_id(key.public_key())
        self.public = public_text(key.public_key())

    def signed(self, activation: Activation) -> Activation:
        """The activation with its signature."""
        signature = b64encode(self._key.sign(signed_bytes(activation))).decode()
        activation.signature = f"{self.key_id}:{signature}"
        return activation


class Verifier:
    """Knows the public keys that may have signed; several while a key is being replaced."""

    def __init__(self, keys: list[str]) -> None:
        """``keys``: as ``public_text`` has them. Raises Refused."""
        found = [public_key(text, "store keys") for text in keys]
        self._keys = {key_id(key): key for key in found}

    def is_signed(self, activation: Activation) -> bool:
        """Whether one of the keys has signed exactly this."""
        name, _, signature = (activation.signature or "").partition(":")
        key = self._keys.get(name)
        if key is None:
            return False
        try:
            key.verify(b64decode(signature, validate=True), signed_bytes(activation))
        except (InvalidSignature, ValueError):
            return False
        return True


def public_key(text: str, field: str) -> Ed25519PublicKey:
    """The key of ``public_text``. Raises Refused, which names ``field``."""
    try:
        return Ed25519PublicKey.from_public_bytes(b64decode(text, validate=True))
    except (ValueError, NotBase64):
        raise Refused("bad_key", f"{field}: expected base64 of the 32 bytes of an Ed25519 public key") from None


def make_key_file(path: Path) -> Signer:
    """A new private key in a file that only its owner may read. Raises FileExistsError."""
    key = Ed25519PrivateKey.generate()
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    return Signer(key)


def read_key_file(path: Path) -> Signer:
    """The signer of a key file. Raises Refused."""
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        raise Refused("bad_key", f"{path}: expected a private key in PEM that can be read") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Refused("bad_key", f"{path}: expected an Ed25519 key")
    return Signer(key)
