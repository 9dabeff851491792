"""What the management of privacy carries over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field

from gateway_shadow.documents import Body, Name, Words, instant
from policy_store.gateway_keys import GatewayKey
from policy_store.privacy import Privacy
from policy_store.tenant_secrets import Purpose, TenantSecret
from spendgate.model.event import PrivacyMode
from spendgate.model.privacy_settings import PrivacySettings


class NewPrivacy(Body):
    """All privacy settings of a tenant, and why they are so."""

    settings: PrivacySettings
    why: Words


class Reason(Body):
    """Why something is done."""

    why: Words


class SecretRotation(Body):
    """Which secret key is replaced, and why."""

    purpose: Purpose = "fingerprint"
    why: Words


class NewGatewayKey(Body):
    """A gateway's public key: base64 of the 32 bytes of an Ed25519 key."""

    name: Name
    public: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9+/=]+$")]
    why: Words | None = None


class CallReference(Body):
    """A call, by what names it."""

    source: Name
    id: Name
    why: Words


class Erasure(Body):
    """What is to be erased: the content of one call (``source`` and ``id``), or with ``all`` everything."""

    source: Name | None = None
    id: Name | None = None
    all: Literal[True] | None = None
    why: Words

    @property
    def is_clear(self) -> bool:
        """Whether it names one call, or everything."""
        named = [each is not None for each in (self.source, self.id)]
        return not any(named) if self.all else all(named)


class Comparison(Body):
    """Content whose fingerprints are wanted, exactly as it was sent: text, or any other JSON."""

    content: Any
    why: Words


class PrivacyDocument(BaseModel):
    """A tenant's privacy settings. ``obeys``: the widest mode that this door, with the keys that there are, is able to
    obey; ``finds_names``: whether it redacts free text."""

    tenant: str
    revision: int
    settings: PrivacySettings
    obeys: PrivacyMode
    finds_names: bool

    @classmethod
    def of(cls, tenant: str, found: Privacy, obeys: PrivacyMode, *, finds_names: bool) -> Self:
        """The answer for a tenant."""
        return cls(
            tenant=tenant, revision=found.revision, settings=found.settings, obeys=obeys, finds_names=finds_names
        )


class SecretDocument(BaseModel):
    """A secret key, without the secret."""

    id: str
    purpose: Purpose
    created_by: str
    created_at: datetime | None
    retired_at: datetime | None

    @classmethod
    def of(cls, found: TenantSecret) -> Self:
        """The answer for a key."""
        return cls(
            id=found.id, purpose=found.purpose, created_by=found.created_by, created_at=instant(found.created_ms),
            retired_at=instant(found.retired_ms),
        )  # fmt: skip


class GatewayKeyDocument(BaseModel):
    """A gateway's public key; ``id`` is the ``keyid`` of its signatures."""

    id: str
    name: str
    public: str
    created_by: str
    created_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, found: GatewayKey) -> Self:
        """The answer for a key."""
        return cls(
            id=found.id, name=found.name, public=found.public, created_by=found.created_by,
            created_at=instant(found.created_ms), revoked_at=instant(found.revoked_ms),
        )  # fmt: skip


class ContentSummary(BaseModel):
    """How many calls' content is kept, and since when the oldest."""

    calls: int
    oldest_at: datetime | None


class ContentDocument(BaseModel):
    """What was said in a call, as far as its mode has kept it."""

    source: str
    id: str
    mode: PrivacyMode
    kept_at: datetime | None
    kept_until: datetime | None
    prompt: Any
    response: Any


class Erased(BaseModel):
    """How many calls' content is gone."""

    erased: int


class Fingerprints(BaseModel):
    """The fingerprints of one content under each key that is not destroyed, the newest key first."""

    fingerprints: list[str]
