"""Which policies look at a call: bit sets by field and value, so the cost does not grow with what is staged."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from spendgate.engine.globs import Matcher, matcher
from spendgate.model.event import SCOPE_FIELDS
from spendgate.model.policy import Scope


@dataclass(slots=True)
class FieldIndex:
    """One field's lists. Bit p of a set stands for policy p."""

    include: list[tuple[int, Matcher]] = field(default_factory=list)
    exclude: list[tuple[int, Matcher]] = field(default_factory=list)
    unlisted: int = 0
    passing: dict[str | None, int] = field(default_factory=dict)

    def policies(self, value: str | None) -> int:
        """The policies that this field's value does not keep from looking."""
        found = self.passing.get(value)
        if found is None:
            found = self.passing[value] = self._match(value)
        return found

    def _match(self, value: str | None) -> int:
        passing = self.unlisted
        for policy, matches in self.include:
            if matches(value):
                passing |= 1 << policy
        for policy, matches in self.exclude:
            if matches(value):
                passing &= ~(1 << policy)
        return passing


@dataclass(frozen=True, slots=True)
class ScopeIndex:
    """All policies' scopes; ``fields`` are those that any of them names, in the order of SCOPE_FIELDS."""

    fields: tuple[str, ...]
    indexes: tuple[FieldIndex, ...]
    everything: int

    @classmethod
    def of(cls, scopes: Sequence[Scope]) -> "ScopeIndex":
        """The index of these scopes; policy p is ``scopes[p]``."""
        everything = (1 << len(scopes)) - 1
        named = {name: _field_index(name, scopes) for name in SCOPE_FIELDS}
        used = {name: index for name, index in named.items() if index.include or index.exclude}
        return cls(tuple(used), tuple(used.values()), everything)

    def matching(self, values: Sequence[str | None]) -> int:
        """The policies that look at a call with these values of ``fields``, as a bit set."""
        found = self.everything
        for index, value in zip(self.indexes, values, strict=True):
            found &= index.policies(value)
        return found


def _field_index(name: str, scopes: Sequence[Scope]) -> FieldIndex:
    index = FieldIndex()
    for policy, scope in enumerate(scopes):
        included = getattr(scope, name)
        excluded = getattr(scope.exclude, name) if scope.exclude else None
        if included is None:
            index.unlisted |= 1 << policy
        else:
            index.include.append((policy, matcher(included)))
        if excluded is not None:
            index.exclude.append((policy, matcher(excluded)))
    return index
