"""Signs what a gateway of your own sends to Spendgate: HTTP Message Signatures (RFC 9421) with Ed25519, for httpx.

Put this file beside the gateway's program, with the key that ``spendgate privacy gateway make-key gateway.pem`` made::

    client = httpx.Client(auth=SpendgateSigning("sgk_...", "gateway.pem"))
    client.post("https://spendgate.example/v1/events", json=[...])

It adds the API key too. Each attempt is signed anew, so a retry is no replay. Any library for RFC 9421 will do as well:
the form is in docs/privacy.md.
"""

import secrets
import time
from base64 import b64encode
from collections.abc import Generator
from hashlib import sha256
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

COVERED_IF_SENT = ("content-type", "content-encoding", "x-spendgate-privacy")


class SpendgateSigning(httpx.Auth):
    """Signs a client's requests with the private key of a PEM file."""

    requires_request_body = True

    def __init__(self, api_key: str, key_file: str | Path) -> None:
        key = load_pem_private_key(Path(key_file).read_bytes(), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError(f"{key_file}: expected an Ed25519 key")
        self._api_key = api_key
        self._key = key
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key_id = sha256(public).hexdigest()[:16]

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the API key, the body's digest, and the signature."""
        request.headers["Authorization"] = f"Bearer {self._api_key}"
        request.headers["Content-Digest"] = f"sha-256=:{b64encode(sha256(request.content).digest()).decode()}:"
        sent = [name for name in request.headers if name in COVERED_IF_SENT or name.startswith("ce-")]
        values = {
            "@method": request.method,
            "@path": request.url.raw_path.partition(b"?")[0].decode(),
            **{name: request.headers[name] for name in ("content-digest", *sent)},
        }
        covered = " ".join(f'"{name}"' for name in values)
        params = f'({covered});created={int(time.time())};keyid="{self.key_id}";alg="ed25519"'
        params += f';nonce="{secrets.token_hex(16)}";tag="spendgate"'
        base = "\n".join([*(f'"{name}": {value}' for name, value in values.items()), f'"@signature-params": {params}'])
        request.headers["Signature-Input"] = f"sig={params}"
        request.headers["Signature"] = f"sig=:{b64encode(self._key.sign(base.encode())).decode()}:"
        yield request
