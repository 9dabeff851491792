"""Signed bodies: the form of RFC 9421, and that nothing which was signed can be changed, left out or put elsewhere."""

import contextlib
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hypothesis import given
from hypothesis import strategies as st

from gateway_shadow.privacy.signatures import (
    AHEAD_S,
    OLDEST_S,
    BadSignature,
    Message,
    Signed,
    signed_of,
)
from gateway_shadow.privacy.structured import NotStructured, dictionary
from policy_store.signing import public_key
from tests.privacy.signing import message_of, new_gateway, signed

URL = "https://door.example/v1/events"
LATIN_1 = st.characters(max_codepoint=255)
BODY = b'{"id":"e1","time":"2026-05-01T10:00:00Z"}'


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Ed25519PublicKey]:
    auth, public = new_gateway(tmp_path_factory.mktemp("gateway"))
    return auth, public_key(public, "public")


def request(**headers: str) -> httpx.Request:
    return httpx.Request("POST", URL, content=BODY, headers={"Content-Type": "application/json", **headers})


def found(message: Message) -> Signed:
    signature = signed_of(message)
    assert signature is not None
    return signature


def test_what_the_gateways_signer_makes_is_good(gateway: tuple[Any, Ed25519PublicKey]) -> None:
    auth, key = gateway
    sent = request(**{"X-Spendgate-Privacy": "metadata_only", "ce-id": "c1", "Content-Encoding": "gzip"})
    signature = found(message_of(signed(auth, sent)))
    signature.require_good(key, time.time())
    assert signature.key_id == auth.key_id
    assert b'"ce-id": c1' in signature.base


def test_the_base_and_the_signature_of_the_rfcs_own_example() -> None:
    """RFC 9421, B.1.4 and B.2.6; its tag, nonce and digest are ours to add, so the parts below them are called."""
    pem = b"""-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----"""
    params = '("date" "@method" "@path" "@authority" "content-type" "content-length")'
    params += ';created=1618884473;keyid="test-key-ed25519"'
    headers = [
        ("host", "example.com"), ("date", "Tue, 20 Apr 2021 02:07:55 GMT"), ("content-type", "application/json"),
        ("content-length", "18"), ("signature-input", f"sig-b26={params}"),
    ]  # fmt: skip
    message = Message("POST", "/foo", "param=Value&Pet=dog", headers, b'{"hello": "world"}')
    member = dictionary(message.field("signature-input") or "")["sig-b26"]
    assert member.value + member.params_text == params
    lines = [f'"{name}": {message.component(name)}' for name in member.strings]
    base = "\n".join([*lines, f'"@signature-params": {params}']).encode()
    signature = b64decode("wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==")
    key = load_pem_public_key(pem)
    assert isinstance(key, Ed25519PublicKey)
    Signed("test-key-ed25519", "-", 1618884473, None, base, signature).require_good(key, 1618884473)


def test_a_request_without_a_signature_of_ours_has_none() -> None:
    for headers in ({}, {"Signature-Input": 'a=("@method");tag="other"', "Signature": "a=:AA==:"}, {"Signature": "x"}):
        assert signed_of(message_of(request(**headers))) is None


CHANGES: dict[str, Callable[[httpx.Request], httpx.Request]] = {
    "body": lambda r: httpx.Request(r.method, r.url, headers=r.headers, content=r.content.replace(b"e1", b"e2")),
    "path": lambda r: httpx.Request(r.method, URL.replace("events", "traces"), headers=r.headers, content=r.content),
    "method": lambda r: httpx.Request("PUT", r.url, headers=r.headers, content=r.content),
    "content-type": lambda r: _with(r, "content-type", "application/x-ndjson"),
    "a privacy header that was added": lambda r: _with(r, "x-spendgate-privacy", "full_trace"),
    "an attribute that was added": lambda r: _with(r, "ce-id", "c2"),
    "nonce": lambda r: _with(r, "signature-input", _input(r).replace('nonce="', 'nonce="0')),
    "created": lambda r: _with(r, "signature-input", _input(r).replace("created=", "created=1")),
    "keyid": lambda r: _with(r, "signature-input", _input(r).replace('keyid="', 'keyid="f')),
    "coverage": lambda r: _with(r, "signature-input", _input(r).replace('"@path" ', "")),
    "another alg": lambda r: _with(r, "signature-input", _input(r).replace("ed25519", "hmac-sha256")),
    "digest": lambda r: _with(r, "content-digest", "sha-256=:AAAA:"),
    "digest of a kind that is not known": lambda r: _with(r, "content-digest", "md5=:AAAA:"),
    "signature": lambda r: _with(r, "signature", "sig=:" + "AA" * 43 + "==:"),
    "label": lambda r: _with(r, "signature", r.headers["signature"].replace("sig=", "gis=")),
    "twice": lambda r: _with(r, "signature-input", f"{_input(r)}, {_input(r)}"),
    "two of ours": lambda r: _with(r, "signature-input", f"{_input(r)}, {_input(r).replace('sig=', 'two=')}"),
}


def _with(sent: httpx.Request, name: str, value: str) -> httpx.Request:
    return httpx.Request(sent.method, sent.url, headers={**sent.headers, name: value}, content=sent.content)


def _input(sent: httpx.Request) -> str:
    return str(sent.headers["signature-input"])


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_is_changed_behind_the_signers_back_is_found(what: str, gateway: tuple[Any, Ed25519PublicKey]) -> None:
    auth, key = gateway
    changed = CHANGES[what](signed(auth, request()))
    with pytest.raises(BadSignature) as bad:
        found(message_of(changed)).require_good({auth.key_id: key}.get(found(message_of(changed)).key_id), time.time())
    assert "e1" not in str(bad.value)


def test_another_key_is_not_the_gateways(gateway: tuple[Any, Ed25519PublicKey], tmp_path: Path) -> None:
    auth, _ = gateway
    _, other = new_gateway(tmp_path)
    for key in (None, public_key(other, "public")):
        with pytest.raises(BadSignature):
            found(message_of(signed(auth, request()))).require_good(key, time.time())


@given(later_s=st.integers(-1000, 1000))
def test_a_signature_is_good_for_a_while_and_no_longer(later_s: int, gateway: tuple[Any, Ed25519PublicKey]) -> None:
    auth, key = gateway
    signature = found(message_of(signed(auth, request())))
    if -AHEAD_S <= later_s <= OLDEST_S:
        signature.require_good(key, signature.created_s + later_s)
    else:
        with pytest.raises(BadSignature, match="created"):
            signature.require_good(key, signature.created_s + later_s)
    assert signature.until_s >= signature.created_s + OLDEST_S


@given(text=st.text(alphabet='abz=:;,"()\\ ?0129-@.*', max_size=40) | st.text(max_size=20))
def test_no_field_breaks_the_parser(text: str) -> None:
    try:
        members = dictionary(text)
    except NotStructured:
        return
    spelt = ", ".join(f"{key}={member.value}{member.params_text}" for key, member in members.items())
    assert dictionary(spelt) == members


@given(text=st.text(alphabet='abz=:;,"()\\ ?0129-@.*', max_size=60))
def test_no_signature_input_breaks_the_reader(text: str) -> None:
    sent = [("signature-input", f'sig=("@method");tag="spendgate"{text}'), ("signature", text)]
    with pytest.raises(BadSignature):
        signed_of(Message("POST", "/", "", sent, b""))


@given(path=st.text(LATIN_1, max_size=5), query=st.text(LATIN_1, max_size=5), host=st.text(LATIN_1, max_size=5))
def test_no_byte_of_a_request_breaks_the_reader(path: str, query: str, host: str) -> None:
    covered = '("@method" "@path" "content-digest" "@query" "@authority")'
    digest = b64encode(sha256(b"").digest()).decode()
    sent = [
        ("signature-input", f'sig={covered};created=1;keyid="k";nonce="12345678";alg="ed25519";tag="spendgate"'),
        ("signature", "sig=:AAAA:"), ("content-digest", f"sha-256=:{digest}:"), ("host", host),
    ]  # fmt: skip
    message = Message("POST", f"/{path}", query, sent, b"")
    if f"{path}{query}{host}".isascii() and f"{path}{query}{host}".isprintable():
        assert found(message).key_id == "k"
    else:
        with contextlib.suppress(BadSignature):
            signed_of(message)
