"""Bodies that a tenant's own gateway has signed: HTTP Message Signatures (RFC 9421), a strict small profile.

Ed25519 over method, path, the body's Content-Digest (RFC 9530), and every header that says how the body is to be read;
with ``created``, ``keyid``, a ``nonce`` and the tag ``spendgate``. Signatures with other tags are not looked at.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256, sha512
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway_shadow.privacy.structured import Bare, Member, NotStructured, bare, dictionary
from spendgate.model.text import is_name

TAG = "spendgate"
INPUT, SIGNATURE, DIGEST = "signature-input", "signature", "content-digest"
ALWAYS = ("@method", "@path", DIGEST)
"""What every signature covers."""
IF_SENT = ("content-type", "content-encoding", "x-spendgate-privacy")
"""Headers that it covers where they are sent, and so are all that begin with ``ce-``."""
ACCEPTED = 'sig=("@method" "@path" "content-digest" "content-type");created;keyid;nonce;alg="ed25519";tag="spendgate"'
"""The form, as Accept-Signature tells it."""
OLDEST_S, AHEAD_S = 300, 60
"""``created`` is at most so long ago, and at most so far ahead of this door's clock."""
ALGORITHM = "ed25519"
_KNOWN = ("created", "expires", "keyid", "nonce", "alg", "tag")
_DIGESTS: Mapping[str, Callable[[bytes], Any]] = {"sha-256": sha256, "sha-512": sha512}
_LEAST_NONCE = 8


class BadSignature(Exception):
    """A signature that is not as it should be. The message names what was expected, and no value."""


@dataclass(frozen=True)
class Message:
    """A request as it came. ``headers``: names in lower case, values as sent, in order; ``path``: as on the wire."""

    method: str
    path: str
    query: str
    headers: Iterable[tuple[str, str]]
    body: bytes = field(repr=False)

    def field(self, name: str) -> str | None:
        """A header; of several of one name, joined (RFC 9421, 2.1)."""
        found = [value.strip() for each, value in self.headers if each == name]
        return ", ".join(found) if found else None

    def component(self, name: str) -> str:
        """The value of a covered component. Raises BadSignature."""
        found = self._found(name)
        if found is None or not found.isascii() or any(ord(char) < 32 and char != "\t" for char in found):
            raise BadSignature("Signature-Input: expected components that the request has, of @method, @path, @query, "
                               "@authority and header fields")  # fmt: skip
        return found

    def _found(self, name: str) -> str | None:
        match name:
            case "@method":
                return self.method
            case "@path":
                return self.path or "/"
            case "@query":
                return f"?{self.query}"
            case "@authority":
                return (self.field("host") or "").lower()
        return None if name.startswith("@") else self.field(name)


@dataclass(frozen=True)
class Signed:
    """A signature whose form is sound, and what it was made over; not yet that it is good."""

    key_id: str
    nonce: str
    created_s: int
    expires_s: int | None
    base: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    def require_good(self, key: Ed25519PublicKey | None, now_s: float) -> None:
        """Raises BadSignature unless it is this key's, and of now."""
        if key is None:
            raise BadSignature("keyid: expected a gateway key of this tenant that is not revoked")
        if not now_s - OLDEST_S <= self.created_s <= now_s + AHEAD_S:
            raise BadSignature(f"created: expected a time within the last {OLDEST_S} seconds; sign each attempt anew")
        if self.expires_s is not None and self.expires_s <= now_s:
            raise BadSignature("expires: expected a time that has not passed; sign each attempt anew")
        try:
            key.verify(self.signature, self.base)
        except InvalidSignature:
            raise BadSignature("Signature: expected the key's signature of exactly this request") from None

    @property
    def until_s(self) -> int:
        """From then on it is too old in any case."""
        return self.created_s + OLDEST_S


def signed_of(message: Message) -> Signed | None:
    """The signature of a request that bears our tag; None where there is none. Raises BadSignature."""
    if TAG not in (message.field(INPUT) or ""):
        return None
    ours = [(label, member) for label, member in _members(message, INPUT).items() if _params(member).get("tag") == TAG]
    if not ours:
        return None
    if len(ours) > 1:
        raise BadSignature(f"Signature-Input: expected one signature with the tag {TAG}")
    label, member = ours[0]
    params, covered = _params(member), _covered(member, message)
    if params.get("alg", ALGORITHM) != ALGORITHM or not params.keys() <= set(_KNOWN):
        raise BadSignature(f"Signature-Input: expected alg {ALGORITHM}, and no parameters but {', '.join(_KNOWN)}")
    _require_digest(message)
    lines = [f'"{name}": {message.component(name)}' for name in covered]
    base = "\n".join([*lines, f'"@signature-params": {member.value}{member.params_text}'])
    return Signed(
        _text(params, "keyid"), _nonce(params), _seconds(params, "created"),
        _seconds(params, "expires") if "expires" in params else None, base.encode("ascii"), _signature(message, label),
    )  # fmt: skip


def _members(message: Message, name: str) -> dict[str, Member]:
    try:
        return dictionary(message.field(name) or "")
    except NotStructured:
        raise BadSignature(f"{name.title()}: expected a dictionary as RFC 9421 has it, spelt canonically") from None


def _params(member: Member) -> dict[str, Bare]:
    try:
        return member.params
    except NotStructured:
        raise BadSignature("Signature-Input: expected each parameter once") from None


def _covered(member: Member, message: Message) -> list[str]:
    try:
        covered = member.strings
    except NotStructured:
        raise BadSignature("Signature-Input: expected a list of components without parameters") from None
    sent = {name for name, _ in message.headers}
    needed = {*ALWAYS, *(name for name in sent if name in IF_SENT or name.startswith("ce-"))}
    if missing := needed - set(covered):
        raise BadSignature(f"Signature-Input: expected {', '.join(sorted(ALWAYS))} to be covered, and of the headers "
                           f"that are sent {', '.join(IF_SENT)} and ce-*; {len(missing)} are not")  # fmt: skip
    if len(covered) != len(set(covered)):
        raise BadSignature("Signature-Input: expected each component once")
    return covered


def _require_digest(message: Message) -> None:
    """Every digest that is known here must be the body's, and one must be known."""
    known = {name: member for name, member in _members(message, DIGEST).items() if name in _DIGESTS}
    if not known or any(_bytes(each) != _DIGESTS[name](message.body).digest() for name, each in known.items()):
        raise BadSignature("Content-Digest: expected the sha-256 or sha-512 of the body as it is sent")


def _signature(message: Message, label: str) -> bytes:
    member = _members(message, SIGNATURE).get(label)
    found = None if member is None else _bytes(member)
    if found is None:
        raise BadSignature("Signature: expected bytes under the label of Signature-Input")
    return found


def _bytes(member: Member) -> bytes | None:
    try:
        found = bare(member.value)
    except NotStructured:
        return None
    return found if isinstance(found, bytes) else None


def _text(params: Mapping[str, Bare], name: str) -> str:
    found = params.get(name)
    if not isinstance(found, str) or not found:
        raise BadSignature(f"{name}: expected it among the parameters, as a string")
    return found


def _nonce(params: Mapping[str, Bare]) -> str:
    found = _text(params, "nonce")
    if not is_name(found) or len(found) < _LEAST_NONCE:
        raise BadSignature(f"nonce: expected {_LEAST_NONCE} to 128 printable characters, made anew for each attempt")
    return found


def _seconds(params: Mapping[str, Bare], name: str) -> int:
    found = params.get(name)
    if type(found) is not int:
        raise BadSignature(f"{name}: expected it among the parameters, in whole seconds since 1970")
    return found
