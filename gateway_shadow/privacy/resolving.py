"""The mode of a call: the tightest of what its tenant, its request and itself say, and of what this door can do."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from spendgate.engine.scope import ScopeIndex
from spendgate.model.event import Event, PrivacyMode
from spendgate.model.privacy import is_within, permits, tightest, widest
from spendgate.model.privacy_settings import PrivacySettings


@dataclass(frozen=True)
class Resolver:
    """A tenant's settings, compiled. ``most``: the widest mode that this door is able to obey."""

    base: PrivacyMode
    scoped: tuple[PrivacyMode, ...]
    index: ScopeIndex
    values: Callable[[Event], tuple[Any, ...]]
    most: PrivacyMode

    @classmethod
    def of(cls, settings: PrivacySettings, most: PrivacyMode) -> "Resolver":
        """Compile settings."""
        index = ScopeIndex.of([each.scope for each in settings.scopes])
        return cls(settings.mode, tuple(each.mode for each in settings.scopes), index, _values_of(index), most)

    def of_event(self, event: Event, asked: PrivacyMode | None) -> PrivacyMode:
        """The mode of a call whose request asks for ``asked``."""
        return tightest(self._of_tenant(event), self.most, asked, event.privacy_mode)

    def of_all(self, asked: PrivacyMode | None) -> PrivacyMode | None:
        """The mode of every call that does not ask for one of its own; None where scopes tell calls apart."""
        return None if self.scoped else tightest(self.base, self.most, asked)

    def _of_tenant(self, event: Event) -> PrivacyMode:
        """Of the scopes that look at a call the tightest mode; the tenant's own where none does."""
        found = self.index.matching(self.values(event)) if self.scoped else 0
        modes = [mode for at, mode in enumerate(self.scoped) if found >> at & 1]
        return tightest(*modes) if modes else self.base

    @property
    def redacts(self) -> bool:
        """Whether content of any call is to be redacted."""
        return "redacted_trace" in (self.base, *self.scoped) and is_within("redacted_trace", self.most)

    def needs_signature(self, asked: PrivacyMode | None) -> bool:
        """Whether no call of a request can do without one."""
        return not permits(tightest(widest([self.base, *self.scoped]), self.most, asked)).unsigned


def _values_of(index: ScopeIndex) -> Callable[[Event], tuple[Any, ...]]:
    """The values of the fields that scopes name."""
    if len(index.fields) > 1:
        return attrgetter(*index.fields)
    return lambda event: tuple(getattr(event, name) for name in index.fields)
