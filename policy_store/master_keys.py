"""Secrets of tenants at rest: AES-256-GCM under the operator's master key, which lies in a file and never in the store.

The file holds one key a line, each base64 of 32 bytes. The first seals; all of them open, so that a new one can be put
before the old and the old be taken away once everything is sealed anew (``spendgate admin reseal``). What is sealed is
bound to a purpose: moved to another tenant or another use, it does not open.
"""

import os
import secrets
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from policy_store.errors import Refused

KEY_BYTES, NONCE_BYTES = 32, 12
_FORM = "v1"
_EXPECTED = "expected lines of base64 of 32 bytes, as `spendgate admin master-key` writes them"


class MasterKeys:
    """Seals and opens. Its keys are in no representation of it."""

    def __init__(self, keys: list[bytes]) -> None:
        self._keys = {sha256(key).hexdigest()[:12]: AESGCM(key) for key in keys}
        self._first = next(iter(self._keys))

    def seal(self, plain: bytes, purpose: str) -> str:
        """Text for a column: ``v1:<key>:<base64>``."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + self._keys[self._first].encrypt(nonce, plain, purpose.encode())
        return f"{_FORM}:{self._first}:{b64encode(sealed).decode()}"

    def open(self, sealed: str, purpose: str) -> bytes:
        """What was sealed for this purpose. Raises Refused."""
        form, _, rest = sealed.partition(":")
        name, _, text = rest.partition(":")
        key = self._keys.get(name)
        if form != _FORM or key is None:
            raise Refused("wrong_master_key", "master key: expected the one under which this was sealed")
        try:
            raw = b64decode(text, validate=True)
            return key.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], purpose.encode())
        except (InvalidTag, NotBase64, ValueError):
            raise Refused("wrong_master_key", "master key: what was sealed has been changed, or moved") from None

    def is_current(self, sealed: str) -> bool:
        """Whether it is sealed under the first key."""
        return sealed.startswith(f"{_FORM}:{self._first}:")


def make_master_key_file(path: Path) -> MasterKeys:
    """A new key in a file that only its owner may read. Raises FileExistsError."""
    key = secrets.token_bytes(KEY_BYTES)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(b64encode(key) + b"\n")
    return MasterKeys([key])


def read_master_key_file(path: Path) -> MasterKeys:
    """The keys of a file. Raises Refused."""
    try:
        keys = [b64decode(line, validate=True) for line in path.read_bytes().split()]
    except (OSError, NotBase64, ValueError):
        keys = []
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise Refused("bad_key", f"{path}: {_EXPECTED}")
    return MasterKeys(keys)
