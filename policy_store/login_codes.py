"""Codes by which a person's browser hands a key to the command on the same machine: for once, for a minute, and only
to whoever began it (PKCE, RFC 7636: the command has told the SHA-256 of a secret and now shows the secret)."""

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from policy_store import sessions
from policy_store.api_keys import Role, random_text, sha256_text
from policy_store.change import Change
from policy_store.errors import Refused
from policy_store.sessions import Grant, Session
from policy_store.tables import login_codes

LASTS_MS = 60_000
_CHARS = 43


class Code(NamedTuple):
    """What a code stands for: a key of this role for this person."""

    code_sha256: str
    session: str
    tenant: str
    person: str
    role: Role
    challenge: str
    expires_ms: int


def challenge_of(verifier: str) -> str:
    """S256 of RFC 7636."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def offer(change: Change, session: Session, grant: Grant, challenge: str) -> str:
    """A code for a key by one of the session's grants, in the change's tenant. Raises Refused."""
    if grant not in sessions.grants_of(change.connection, session.id) or grant.tenant != change.tenant:
        raise Refused("not_granted", "grant: expected one of the session's")
    text = random_text(_CHARS)
    made = Code(sha256_text(text), session.id, *_for(session, grant), challenge, change.now_ms + LASTS_MS)
    change.connection.execute(delete(login_codes).where(login_codes.c.expires_ms < change.now_ms))
    change.connection.execute(insert(login_codes).values(**made._asdict()))
    return text


def _for(session: Session, grant: Grant) -> tuple[str, str, Role]:
    return grant.tenant, session.person, grant.role


def find(connection: Connection, text: str) -> Code | None:
    """What a code stands for; it may be over."""
    wanted = select(login_codes).where(login_codes.c.code_sha256 == sha256_text(text))
    row = connection.execute(wanted).mappings().one_or_none()
    return None if row is None else Code(**row)


def redeem(change: Change, code: Code, verifier: str) -> None:
    """Use a code up; of two who try, one does. Raises Refused for one that is over, was used, or is another's."""
    gone = change.connection.execute(delete(login_codes).where(login_codes.c.code_sha256 == code.code_sha256))
    session = sessions.get(change.connection, code.session)
    is_good = gone.rowcount == 1 and change.now_ms < code.expires_ms
    is_theirs = hmac.compare_digest(challenge_of(verifier), code.challenge)
    if not (is_good and is_theirs and session is not None and session.is_valid(change.now_ms)):
        raise Refused("bad_code", "code: expected one that was given within the last minute, to this command, for once")
