"""A tenant's privacy settings, as an operator writes them: a mode for all calls, and others by scope."""

from typing import Annotated

from pydantic import Field

from spendgate.model.event import PrivacyMode
from spendgate.model.policy import Document, Scope
from spendgate.model.privacy import DEFAULT, widest

MAX_SCOPES = 100


class ScopedMode(Document):
    """The mode of the calls that a scope looks at; a scope reads as in a policy."""

    mode: PrivacyMode
    scope: Scope


Scopes = Annotated[list[ScopedMode], Field(max_length=MAX_SCOPES)]


class PrivacySettings(Document):
    """``mode`` holds for every call that no scope looks at; of several scopes that do, the tightest mode holds.
    ``retention_days``: for so long content is kept, where a mode keeps any."""

    mode: PrivacyMode = DEFAULT
    scopes: Scopes = Field(default_factory=list)
    retention_days: Annotated[int, Field(ge=1, le=3650, strict=True)] = 30

    @property
    def widest(self) -> PrivacyMode:
        """The widest mode that any call can have."""
        return widest([self.mode, *(each.mode for each in self.scopes)])
