"""What the door gives to a browser and takes back, and what it keeps that nobody else shall read.

All keys come from the store's private key, so every process has the same.
"""

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any, NamedTuple

from cryptography.fernet import Fernet, InvalidToken
from itsdangerous import BadSignature, URLSafeTimedSerializer

from policy_store.signing import Signer

PENDING_S = 600
"""How long a person may take at the provider."""
MOST_SEALED_BYTES = 16_384


class Pending(NamedTuple):
    """A sign-in that is under way in one browser: what the provider must answer with, and where to go then."""

    state: str
    nonce: str
    verifier: str
    to: str


class Secrets:
    """Signs what is under way, and seals ID tokens."""

    def __init__(self, signer: Signer) -> None:
        self._pending = URLSafeTimedSerializer(
            signer.derived("sign-in under way"), signer_kwargs={"key_derivation": "hmac", "digest_method": sha256}
        )
        self._sealing = Fernet(urlsafe_b64encode(signer.derived("id tokens")))

    def signed(self, pending: Pending) -> str:
        """As it is put into a cookie."""
        return str(self._pending.dumps(pending))

    def pending(self, text: str) -> Pending | None:
        """What a cookie holds, if we have signed it and it is not too old."""
        try:
            found: Any = self._pending.loads(text, max_age=PENDING_S)
            return Pending(*found)
        except (BadSignature, TypeError):
            return None

    def sealed(self, id_token: str) -> str | None:
        """An ID token as it is stored; one that is too long is not."""
        return None if len(id_token) > MOST_SEALED_BYTES else self._sealing.encrypt(id_token.encode()).decode()

    def opened(self, sealed: str | None) -> str | None:
        """The ID token; None where there is none, or another key has sealed it."""
        try:
            return None if sealed is None else self._sealing.decrypt(sealed).decode()
        except InvalidToken:
            return None


def csrf_token(session_text: str) -> str:
    """What a page of a session says back (OWASP's HMAC-based token): no other site can know it, and it does not tell
    the session."""
    mac = hmac.digest(session_text.encode(), b"spendgate csrf", sha256)
    return urlsafe_b64encode(mac).rstrip(b"=").decode()
