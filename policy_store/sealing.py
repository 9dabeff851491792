"""What must be read again and stands in the database: sealed by a key that follows from the store's own.

AES-256-GCM; what a text is for is bound to it, so a sealed text that is put into another row does not open.
"""

from base64 import b64decode, b64encode
from secrets import token_bytes

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from policy_store.signing import Signer

_NONCE_BYTES = 12


class Unopened(Exception):
    """A sealed text that does not open: the store's key is another one than it was sealed by, or it was altered."""


class Sealer:
    """Seals and opens. ``purpose``: texts of one purpose do not open under another."""

    def __init__(self, signer: Signer, purpose: str) -> None:
        self._cipher = AESGCM(signer.derived(purpose))

    def seal(self, text: str, about: str) -> str:
        """``text``, sealed for ``about``."""
        nonce = token_bytes(_NONCE_BYTES)
        return b64encode(nonce + self._cipher.encrypt(nonce, text.encode(), about.encode())).decode()

    def open(self, sealed: str, about: str) -> str:
        """What was sealed for ``about``. Raises Unopened."""
        try:
            raw = b64decode(sealed, validate=True)
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], about.encode()).decode()
        except (InvalidTag, ValueError):
            raise Unopened from None
