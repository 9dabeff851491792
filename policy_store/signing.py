"""The store's signature on what workers obey: Ed25519, over the record's canonical bytes."""

import os
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from policy_store.errors import Refused
from spendgate.model.activation import Activation, signed_bytes
from spendgate.reconcile.public_keys import BadKey, PublicKeys, key_id, public_text


class Signer:
    """Signs activations, and other documents by their bytes; what is signed begins with what it is, so that a signature
    of one kind is none of another."""

    def __init__(self, key: Ed25519PrivateKey, also: Sequence[str] = ()) -> None:
        """``also``: public keys of the store's whose certificates hold beside this one's own, as after a rotation."""
        self._key = key
        self.key_id = key_id(key.public_key())
        self.public = public_text(key.public_key())
        self.believed = tuple(dict.fromkeys((self.public, *also)))

    def sign(self, content: bytes) -> str:
        """The signature of some bytes, ``<key id>:<base64>``."""
        return f"{self.key_id}:{b64encode(self._key.sign(content)).decode()}"

    def signed(self, activation: Activation) -> Activation:
        """The activation with its signature."""
        activation.signature = self.sign(signed_bytes(activation))
        return activation

    def derived(self, purpose: str) -> bytes:
        """32 bytes that follow from the key and a purpose, and from which neither it nor another purpose's follow."""
        return HKDF(SHA256(), 32, None, f"spendgate {purpose}".encode()).derive(self._key.private_bytes_raw())


class Verifier:
    """Knows the public keys that may have signed; several while a key is being replaced."""

    def __init__(self, keys: list[str]) -> None:
        """``keys``: as ``public_text`` has them. Raises Refused."""
        try:
            self._keys = PublicKeys(keys)
        except BadKey as error:
            raise Refused("bad_key", f"store keys: {error}") from None

    def is_signed(self, activation: Activation) -> bool:
        """Whether one of the keys has signed exactly this."""
        return self.has_signed(signed_bytes(activation), activation.signature)

    def has_signed(self, content: bytes, signature: str | None) -> bool:
        """Whether ``signature``, as ``Signer.sign`` makes it, is one of these keys' over exactly these bytes."""
        return self._keys.has_signed(content, signature or "")


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


def read_key_file(path: Path, also: Sequence[str] = ()) -> Signer:
    """The signer of a key file. ``also``: other public keys of the store, as ``public_text`` has it. Raises Refused."""
    try:
        PublicKeys(also)
    except BadKey as error:
        raise Refused("bad_key", f"SPENDGATE_STORE_KEYS: {error}") from None
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        raise Refused("bad_key", f"{path}: expected a private key in PEM that can be read") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Refused("bad_key", f"{path}: expected an Ed25519 key")
    return Signer(key, also)
