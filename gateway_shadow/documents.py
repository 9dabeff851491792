"""What the management API carries: requests and answers. Times are UTC, as RFC 3339."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple, Self

from fastapi import Path
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from policy_store.api_keys import ApiKey, Role
from policy_store.audit import Entry
from policy_store.lifecycle import possible
from policy_store.policies import Listed, Version
from policy_store.simulations import Simulation
from policy_store.stagings import Staging
from policy_store.tenants import Tenant
from spendgate.model.settings import Settings
from spendgate.model.text import MAX_CHARS

Name = Annotated[str, Field(min_length=1, max_length=MAX_CHARS, pattern=r"^[!-~]+$")]
NamedInPath = Annotated[str, Path(min_length=1, max_length=MAX_CHARS, pattern=r"^[!-~]+$")]
Words = Annotated[
    str, Field(min_length=3, max_length=1000, pattern=r"^[^\x00]*$", description="In words, for the audit trail.")
]


def _in_range(at: datetime) -> datetime:
    if not 1971 <= at.year < 2200:
        raise ValueError("expected a time from 1971 to 2199")
    return at.astimezone(UTC)


Instant = Annotated[AwareDatetime, AfterValidator(_in_range)]
"""Of years that every store, and whoever reads the answer, has."""


def same(kind: type[BaseModel], found: NamedTuple) -> dict[str, Any]:
    """The fields that both have, by the same names."""
    return {name: getattr(found, name) for name in kind.model_fields.keys() & set(found._fields)}


def instant(at_ms: int | None) -> datetime | None:
    """Milliseconds since the epoch as an aware instant."""
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC)


class Body(BaseModel):
    """A body that holds nothing else than its fields."""

    model_config = ConfigDict(extra="forbid")


class Why(Body):
    """Why something is done."""

    why: Words | None = None


class Submission(Body):
    """Which version is to be staged; ``waiver``: why it needs no simulation."""

    hash: Annotated[str, Field(pattern="^[0-9a-f]{8,64}$", description="The version, or its first digits.")]
    waiver: Words | None = None


class NewKey(Body):
    """A key for a person."""

    person: Name
    role: Role
    expires_at: Instant | None = None


class Rotation(Body):
    """For how long the old key goes on beside the new one."""

    overlap_s: Annotated[int, Field(ge=0, le=30 * 86400)] = 3600
    expires_at: Instant | None = None


class NewSettings(Body):
    """All settings of a tenant."""

    one_person: bool = False
    settings: Settings = Settings()
    why: Words | None = None


class _Answer(BaseModel):
    @classmethod
    def _from(cls, found: NamedTuple, **others: Any) -> Self:
        """The answer for what the store has: its fields of the same names, and ``others``."""
        return cls(**{**same(cls, found), **others})


class VersionDocument(_Answer):
    """One content of a policy."""

    policy: str
    hash: str
    number: int
    author: str
    created_at: datetime | None
    state: str
    source: str
    document: Any

    @classmethod
    def of(cls, found: Version) -> Self:
        """The answer for a version."""
        return cls._from(found, created_at=instant(found.created_ms), document=json.loads(found.document))


class PolicyDocument(BaseModel):
    """A policy and its latest version."""

    name: str
    revision: int
    latest: VersionDocument

    @classmethod
    def of(cls, found: Listed) -> Self:
        """The answer for a policy."""
        return cls(name=found.name, revision=found.revision, latest=VersionDocument.of(found.latest))


class SimulationDocument(_Answer):
    """A recorded simulation."""

    id: str
    policy: str
    hash: str
    report_sha256: str
    engine_version: str
    source: str
    from_: datetime | None = Field(serialization_alias="from")
    to: datetime | None
    full_windows: int
    recorded_by: str
    recorded_at: datetime | None

    @classmethod
    def of(cls, found: Simulation) -> Self:
        """The answer for a simulation."""
        return cls._from(
            found, from_=instant(found.from_ms), to=instant(found.to_ms), recorded_at=instant(found.recorded_ms)
        )


class StagingDocument(_Answer):
    """One use of a version. ``alone``: approved by its own author. ``possible``: what may be done with it now."""

    id: str
    policy: str
    hash: str
    state: str
    revision: int
    waiver: str | None
    submitted_by: str
    submitted_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    alone: bool
    ended_by: str | None
    ended_at: datetime | None
    possible: list[str]

    @classmethod
    def of(cls, found: Staging) -> Self:
        """The answer for a staging."""
        return cls._from(
            found,
            submitted_at=instant(found.submitted_ms),
            decided_at=instant(found.decided_ms),
            ended_at=instant(found.ended_ms),
            possible=list(possible(found.state)),
        )


class KeyDocument(_Answer):
    """A key, without what proves it."""

    id: str
    person: str
    role: Role
    created_by: str
    created_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    replaces: str | None

    @classmethod
    def of(cls, found: ApiKey) -> Self:
        """The answer for a key."""
        return cls._from(
            found,
            created_at=instant(found.created_ms),
            expires_at=instant(found.expires_ms),
            revoked_at=instant(found.revoked_ms),
        )


class ShownKey(BaseModel):
    """A new key; ``key`` is shown this once."""

    key: str
    about: KeyDocument


class SettingsDocument(BaseModel):
    """A tenant's settings."""

    tenant: str
    revision: int
    one_person: bool
    settings: Settings

    @classmethod
    def of(cls, found: Tenant) -> Self:
        """The answer for a tenant."""
        return cls(tenant=found.name, revision=found.revision, one_person=found.one_person, settings=found.settings)


class AuditDocument(_Answer):
    """One row of the trail."""

    number: int
    at: datetime | None
    who: str
    action: str
    subject: str
    before: str | None
    after: str | None
    why: str | None
    previous: str
    hash: str

    @classmethod
    def of(cls, found: Entry) -> Self:
        """The answer for a row."""
        return cls._from(found, at=instant(found.at_ms))


class Me(BaseModel):
    """Who a key is."""

    tenant: str
    person: str
    role: Role
    rights: list[str]
    key_id: str
