"""What the management API carries of the flag, and of what is enforced. Times are UTC."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from gateway_shadow.documents import Body, Name, Words, instant, same
from policy_store.enforcement import Ended
from policy_store.flags import Enforced, Flag, FlagView, Level
from policy_store.flip_requests import Request, State
from spendgate.model.enforcement import MAX_OWNERS, Share, share_words
from spendgate.model.policy_types import ScopeField
from spendgate.model.text import NONE

SHADOW_ONLY = "Shadow only: nothing is blocked."


class ShareDocument(Body):
    """For which calls: a percentage of the values of a field, or the values that are listed."""

    by: ScopeField
    percent: Annotated[int, Field(ge=0, le=100, strict=True)] | None = None
    owners: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=128, pattern=rf"^([!-~]+|\{NONE[:-1]}\))$")]],
        Field(min_length=1, max_length=MAX_OWNERS),
    ] | None = None  # fmt: skip

    @model_validator(mode="after")
    def _is_a_share(self) -> Self:
        self.share()
        return self

    def share(self) -> Share:
        """The same, as an activation has it. Raises ValueError."""
        return Share(by=self.by, percent=self.percent, owners=tuple(self.owners or ()))

    @classmethod
    def of(cls, share: Share | None) -> Self | None:
        """The answer for a share."""
        return None if share is None else cls(by=share.by, percent=share.percent, owners=list(share.owners) or None)


class Flip(Body):
    """Which flag is to be turned on; a staging's own for all calls, or for a share."""

    level: Level
    staging: Name | None = None
    share: ShareDocument | None = None
    why: Words

    @model_validator(mode="after")
    def _names_its_subject(self) -> Self:
        if (self.staging is not None) != (self.level == "policy"):
            raise ValueError("expected a staging with the level policy, and with no other")
        if self.share is not None and self.level != "policy":
            raise ValueError("expected a share with the level policy alone")
        return self


class Off(Body):
    """Which flag is to be turned off, and what is beneath it."""

    level: Level
    staging: Name | None = None
    why: Words

    @model_validator(mode="after")
    def _names_its_subject(self) -> Self:
        if (self.staging is not None) != (self.level == "policy"):
            raise ValueError("expected a staging with the level policy, and with no other")
        return self


class RequestDocument(BaseModel):
    """A request to turn a flag on. ``subject``: the staging, the tenant, or ``(all)``."""

    id: str
    level: Level
    subject: str
    share: ShareDocument | None
    why: str
    state: State
    asked_by: str
    asked_at: datetime | None
    expires_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None

    @classmethod
    def of(cls, found: Request) -> Self:
        """The answer for a request."""
        return cls(
            **{**same(cls, found), "share": ShareDocument.of(found.share)}, asked_at=instant(found.asked_ms),
            expires_at=instant(found.expires_ms), decided_at=instant(found.decided_ms),
        )  # fmt: skip


class FlagDocument(BaseModel):
    """A flag as it is now."""

    level: Level
    subject: str
    on: bool
    revision: int
    share: ShareDocument | None
    certificate: str | None
    asked_by: str | None
    changed_by: str | None
    changed_at: datetime | None
    why: str | None

    @classmethod
    def of(cls, found: Flag) -> Self:
        """The answer for a flag."""
        return cls(
            **{**same(cls, found), "share": ShareDocument.of(found.share)}, on=found.is_on,
            changed_at=instant(found.changed_ms),
        )  # fmt: skip


class EndedDocument(BaseModel):
    """What turning off came to: flags that were on, and the stagings that are back in shadow."""

    flags: list[FlagDocument]
    demoted: list[str]

    @classmethod
    def of(cls, found: Ended) -> Self:
        """The answer for an end."""
        return cls(flags=[FlagDocument.of(each) for each in found.flags], demoted=[each.id for each in found.demoted])


class EnforcedDocument(BaseModel):
    """A staging that is enforced, since when, by whom, on which certificate."""

    policy: str
    staging: str
    hash: str
    share: ShareDocument | None
    certificate: str | None
    since: datetime | None
    asked_by: str | None
    confirmed_by: str
    words: str

    @classmethod
    def of(cls, found: Enforced) -> Self:
        """The answer for what is enforced."""
        return cls(
            **{**same(cls, found), "share": ShareDocument.of(found.share), "certificate": found.certificate_id},
            since=instant(found.since_ms), words=_words(found),
        )  # fmt: skip


class Levels(BaseModel):
    """The two levels above the stagings."""

    everywhere: bool
    tenant: bool


class Status(BaseModel):
    """What is enforced now, in words and by staging. ``at``: when the store said so."""

    tenant: str
    at: datetime | None
    words: list[str]
    levels: Levels
    enforced: list[EnforcedDocument]
    requests: list[RequestDocument]

    @classmethod
    def of(cls, view: FlagView, tenant: str, waiting: Sequence[Request], now_ms: int) -> Self:
        """The answer for a tenant."""
        found = view.enforced(tenant)
        return cls(
            tenant=tenant, at=instant(now_ms), words=[_words(each) for each in found] or [SHADOW_ONLY],
            levels=Levels(everywhere=view.is_global_on, tenant=tenant in view.tenants_on),
            enforced=[EnforcedDocument.of(each) for each in found],
            requests=[RequestDocument.of(each) for each in waiting],
        )  # fmt: skip


def _words(found: Enforced) -> str:
    since = instant(found.since_ms)
    return (
        f"Enforced: {found.policy} ({found.staging}) for {share_words(found.share)}, since {since:%Y-%m-%d %H:%M:%S}Z, "
        f"asked for by {found.asked_by}, confirmed by {found.confirmed_by}, on certificate {found.certificate_id}."
    )
