"""API keys: shown once, stored as a hash, with a prefix that a scanner for leaks can look for.

A key is ``sgk_<id>_<secret><check>``: 12 characters that find it, 43 that prove it (256 bits), and 6 of a CRC-32 that
tells a mistyped or cut key from a wrong one without asking the database. The secret has all its strength by itself,
so one SHA-256 is enough (a slow hash is for what people choose).
"""

import hmac
import secrets
import string
import zlib
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, NamedTuple, get_args

from sqlalchemy import Connection, insert, or_, select, update

from policy_store.change import Change
from policy_store.errors import NotFound, Refused
from policy_store.tables import api_keys

Role = Literal["viewer", "editor", "approver", "operator", "ingest", "content"]
ROLES: tuple[Role, ...] = get_args(Role)
PREFIX = "sgk_"
_ALPHABET = string.ascii_letters + string.digits
_ID_CHARS, _SECRET_CHARS, _CHECK_CHARS = 12, 43, 6


class ApiKey(NamedTuple):
    """A key as it is stored. ``person``: who it belongs to; two keys of a person are one person."""

    id: str
    tenant: str
    person: str
    role: Role
    secret_sha256: str
    created_by: str
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None
    replaces: str | None

    def is_valid(self, now_ms: int) -> bool:
        """Whether it has neither been revoked nor expired."""
        return self.revoked_ms is None and (self.expires_ms is None or now_ms < self.expires_ms)


@dataclass(frozen=True)
class Shown:
    """A key that has just been made, and its text, which nobody can be told again."""

    key: ApiKey
    text: str


class Parts(NamedTuple):
    """The two parts of a key's text."""

    id: str
    secret: str


def random_text(count: int) -> str:
    """So many random letters and digits; 43 have 256 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(count))


def _check(body: str) -> str:
    number, found = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK_CHARS):
        number, digit = divmod(number, len(_ALPHABET))
        found = _ALPHABET[digit] + found
    return found


def parse(text: str) -> Parts | None:
    """The parts of a key's text; None for what cannot be a key."""
    body, check = text[:-_CHECK_CHARS], text[-_CHECK_CHARS:]
    if not text.isascii() or len(text) != len(PREFIX) + _ID_CHARS + 1 + _SECRET_CHARS + _CHECK_CHARS:
        return None
    if not body.startswith(PREFIX) or check != _check(body):
        return None
    parts = Parts(body[len(PREFIX) : len(PREFIX) + _ID_CHARS], body[-_SECRET_CHARS:])
    return parts if body == _body(parts) else None


def text_of(parts: Parts) -> str:
    """The one text that has these parts."""
    return _body(parts) + _check(_body(parts))


def _body(parts: Parts) -> str:
    return f"{PREFIX}{parts.id}_{parts.secret}"


def sha256_text(secret: str) -> str:
    """A secret's SHA-256, in hex."""
    return sha256(secret.encode()).hexdigest()


def proves(secret: str, key: ApiKey | None) -> bool:
    """Whether a secret is the key's, in a time that tells nothing; as long for a key that there is not."""
    return proves_hash(secret, key.secret_sha256 if key is not None else sha256_text("")) and key is not None


def proves_hash(secret: str, secret_sha256: str) -> bool:
    """Whether a secret has this hash, in a time that tells nothing."""
    return hmac.compare_digest(sha256_text(secret), secret_sha256)


def create(
    change: Change, person: str, role: Role, expires_ms: int | None = None, replaces: str | None = None
) -> Shown:
    """A new key for the change's tenant. Raises Refused for an expiry that has passed."""
    if expires_ms is not None and expires_ms <= change.now_ms:
        raise Refused("bad_expiry", "expires: expected a time that has not passed")
    id_, secret = random_text(_ID_CHARS), random_text(_SECRET_CHARS)
    key = ApiKey(
        id_, change.tenant, person, role, sha256_text(secret), change.who, change.now_ms, expires_ms, None, replaces
    )
    change.connection.execute(insert(api_keys).values(**key._asdict()))
    change.note("create", f"key {id_}", None, {"person": person, "role": role, "expires_ms": expires_ms})
    return Shown(key, text_of(Parts(id_, secret)))


def rotate(change: Change, id_: str, overlap_ms: int, expires_ms: int | None = None) -> Shown:
    """A new key in place of one, which goes on for ``overlap_ms``. Raises NotFound, Refused."""
    old = _require_valid(change, id_)
    made = create(change, old.person, old.role, expires_ms, replaces=old.id)
    ends_ms = min(change.now_ms + overlap_ms, old.expires_ms or change.now_ms + overlap_ms)
    change.connection.execute(update(api_keys).where(api_keys.c.id == old.id).values(expires_ms=ends_ms))
    change.note("rotate", f"key {old.id}", {"expires_ms": old.expires_ms}, {"expires_ms": ends_ms, "by": made.key.id})
    return made


def revoke(change: Change, id_: str, why: str | None = None) -> ApiKey:
    """End a key at once. Raises NotFound, Refused."""
    old = _require_valid(change, id_)
    change.connection.execute(update(api_keys).where(api_keys.c.id == id_).values(revoked_ms=change.now_ms))
    change.note("revoke", f"key {id_}", {"person": old.person, "role": old.role}, None, why)
    return old._replace(revoked_ms=change.now_ms)


def _require_valid(change: Change, id_: str) -> ApiKey:
    found = get(change.connection, id_)
    if found is None or found.tenant != change.tenant:
        raise NotFound(f"key {id_}: there is none of this name")
    if not found.is_valid(change.now_ms):
        raise Refused("key_ended", f"key {id_}: it has expired or was revoked already")
    return found


def get(connection: Connection, id_: str) -> ApiKey | None:
    """A key by its id, of any tenant."""
    row = connection.execute(select(api_keys).where(api_keys.c.id == id_)).mappings().one_or_none()
    return None if row is None else ApiKey(**row)


def listed(connection: Connection, tenant: str, *, valid_ms: int | None = None) -> list[ApiKey]:
    """A tenant's keys, the first one first; those valid at an instant, if it is given."""
    wanted = select(api_keys).where(api_keys.c.tenant == tenant)
    if valid_ms is not None:
        wanted = wanted.where(
            api_keys.c.revoked_ms.is_(None), or_(api_keys.c.expires_ms.is_(None), api_keys.c.expires_ms > valid_ms)
        )
    ordered = wanted.order_by(api_keys.c.created_ms, api_keys.c.id)
    return [ApiKey(**row) for row in connection.execute(ordered).mappings()]
