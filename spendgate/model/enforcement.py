"""What enforcement is made of: the share of owners that it is for."""

from hashlib import sha256
from typing import Annotated

from msgspec import Meta, Struct

from spendgate.model.policy_types import ScopeField
from spendgate.model.text import EXPECTED, NONE, Name, is_name

MAX_OWNERS = 200


class Share(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """For which calls a staging is enforced, by the value of one field: either ``percent`` of the values, or the
    ``owners`` that are listed. An unknown value is the value ``(none)``.

    Raises ValueError for both and for neither.
    """

    by: ScopeField
    percent: Annotated[int, Meta(ge=0, le=100)] | None = None
    owners: Annotated[tuple[Name, ...], Meta(max_length=MAX_OWNERS)] = ()

    def __post_init__(self) -> None:
        if (self.percent is None) == (not self.owners):
            raise ValueError("share: expected percent, or a list of owners")
        if not all(owner == NONE or is_name(owner) for owner in self.owners):
            raise ValueError(f"owners: expected {NONE}, or {EXPECTED}")


def in_share(share: Share | None, staging: str, call: object) -> bool:
    """Whether a call is among those that a staging is enforced for; all are without a share.

    ``call``: an event or a check, or what else has the scope's fields. A value that is in at some percent is in at
    every higher one, and which values those are differs from staging to staging.
    """
    if share is None:
        return True
    value = getattr(call, share.by) or NONE
    return value in share.owners if share.percent is None else share_of(staging, value) < share.percent


def share_of(staging: str, value: str) -> int:
    """The place of a value in a staging's hundred: the first 8 bytes of the SHA-256 of ``staging value``, mod 100."""
    return int.from_bytes(sha256(f"{staging} {value}".encode()).digest()[:8], "big") % 100


def share_words(share: Share | None) -> str:
    """A share as people read it."""
    if share is None:
        return "all calls"
    if share.percent is not None:
        return f"{share.percent} % of calls by {share.by}"
    return f"{share.by} {', '.join(share.owners)}"
