"""A gateway of the tests: the signer that users are given, and messages as the door sees them."""

import importlib.util
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway_shadow.privacy.signatures import Message
from spendgate.reconcile.public_keys import public_text

_FILE = Path(__file__).resolve().parents[2] / "integrations" / "gateway" / "spendgate_signing.py"


def _loaded() -> Any:
    spec = importlib.util.spec_from_file_location("spendgate_signing", _FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def new_gateway(folder: Path, api_key: str = "sgk_x") -> tuple[Any, str]:
    """An httpx.Auth that signs, and its public key."""
    key = Ed25519PrivateKey.generate()
    path = folder / "gateway.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return _loaded().SpendgateSigning(api_key, path), public_text(key.public_key())


def signed(auth: Any, request: httpx.Request) -> httpx.Request:
    """The request with its signature."""
    found: httpx.Request = next(auth.auth_flow(request))
    return found


def message_of(request: httpx.Request) -> Message:
    """What the door makes of a request."""
    path, _, query = request.url.raw_path.partition(b"?")
    headers = [(name.lower(), value) for name, value in request.headers.multi_items()]
    return Message(request.method, path.decode(), query.decode(), headers, request.content)
