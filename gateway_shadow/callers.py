"""Who asks: what a key and a session both come to."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from policy_store import sessions
from policy_store.api_keys import Role

Right = Literal["ingest", "read", "edit", "approve", "operate", "content"]
RIGHTS: Mapping[Role, frozenset[Right]] = {
    "ingest": frozenset({"ingest"}),
    "viewer": frozenset({"read"}),
    "editor": frozenset({"read", "edit"}),
    "approver": frozenset({"read", "approve"}),
    "operator": frozenset({"read", "operate"}),
    "content": frozenset({"read", "content"}),
}
"""What each role may do. A person may hold several keys, and stays one person."""


class Caller(NamedTuple):
    """Who asks. ``key_id``: of the key, or of the session."""

    tenant: str
    person: str
    role: Role
    key_id: str

    @property
    def has_session(self) -> bool:
        """Whether it is a browser with a session, and not a key."""
        return sessions.is_id(self.key_id)
