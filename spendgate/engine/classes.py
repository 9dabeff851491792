"""Classes of calls: all calls with the same values of the fields that rules name by glob share one entry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from spendgate.engine.globs import Matcher, matcher, name_check
from spendgate.engine.rules import Int
from spendgate.engine.scope import ScopeIndex
from spendgate.model.decision import CODES
from spendgate.model.policy import Boundary, Policy, Review, Rule

MODEL_DENIED = CODES.index("model_denied")
VENDOR_DENIED = CODES.index("vendor_denied")
MAX_CLASSES = 200_000
"""Past this many, the table starts anew: a bound on memory, not on what can be judged."""

Values = tuple[str | None, ...]


class ClassArrays(NamedTuple):
    """Rules of each class: those of class c stand at ``first[c]`` to ``first[c + 1]``.

    ``fixed``: what the names alone decide; for a boundary 0 or the code of its breach, for a review 1 if its
    named conditions hold, for a budget 0.
    """

    first: Int
    rule: Int
    fixed: Int


@dataclass(frozen=True, slots=True)
class _Named:
    """A rule's verdict on model, vendor and evidence status."""

    rule: int
    model: Matcher | None
    vendor: Matcher | None
    evidence: frozenset[str] | None
    is_boundary: bool

    def fixed(self, model: str | None, vendor: str | None, evidence: str | None) -> int:
        if self.is_boundary:
            if self.model is not None and self.model(model):
                return MODEL_DENIED
            return VENDOR_DENIED if self.vendor is not None and self.vendor(vendor) else 0
        return int(
            (self.model is None or self.model(model))
            and (self.vendor is None or self.vendor(vendor))
            and (self.evidence is None or evidence in self.evidence)
        )


@dataclass(slots=True)
class Classes:
    """The classes seen so far by one program; grows as calls with new values come."""

    scopes: ScopeIndex
    rules: tuple[tuple[_Named, ...], ...]
    fields: tuple[str, ...]
    values_of: Callable[[Any], Values]
    _ids: dict[Values, int] = field(default_factory=dict)
    _same: dict[tuple[tuple[int, int], ...], int] = field(default_factory=dict)
    _arrays: ClassArrays | None = None

    @classmethod
    def of(cls, policies: Sequence[Policy]) -> "Classes":
        """The classes of these policies; rules are numbered in policy order."""
        scopes = ScopeIndex.of([policy.spec.scope for policy in policies])
        numbered: list[tuple[_Named, ...]] = []
        first = 0
        for policy in policies:
            numbered.append(tuple(_named(first + i, rule) for i, rule in enumerate(policy.spec.rules)))
            first += len(policy.spec.rules)
        fields = (*scopes.fields, *_extra_fields(scopes.fields, numbered))
        return cls(scopes, tuple(numbered), fields, values_getter(fields))

    def class_of(self, values: Values) -> int:
        """The class of a call with these values of ``fields``."""
        found = self._ids.get(values)
        return self._add(values) if found is None else found

    def trim(self) -> bool:
        """Forget all classes if there are too many, and say so; class numbers given out before are void then."""
        if len(self._ids) <= MAX_CLASSES:
            return False
        self._ids.clear()
        self._same.clear()
        self._arrays = None
        return True

    def arrays(self) -> ClassArrays:
        """All classes as arrays."""
        if self._arrays is None:
            entries = list(self._same)
            flat = [pair for entry in entries for pair in entry]
            self._arrays = ClassArrays(
                np.cumsum([0, *map(len, entries)], dtype=np.int64),
                np.array([rule for rule, _ in flat], np.int64),
                np.array([fixed for _, fixed in flat], np.int64),
            )
        return self._arrays

    def _add(self, values: Values) -> int:
        entry = self._entry(values)
        number = self._same.get(entry)
        if number is None:
            number = self._same[entry] = len(self._same)
            self._arrays = None
        self._ids[values] = number
        return number

    def _entry(self, values: Values) -> tuple[tuple[int, int], ...]:
        named = dict(zip(self.fields, values, strict=True))
        model, vendor, evidence = (named.get(name) for name in ("model", "vendor", "evidence_status"))
        matching = self.scopes.matching(values[: len(self.scopes.fields)])
        pairs: list[tuple[int, int]] = []
        while matching:
            lowest = matching & -matching
            matching ^= lowest
            rules = self.rules[lowest.bit_length() - 1]
            pairs += [(rule.rule, rule.fixed(model, vendor, evidence)) for rule in rules]
        return tuple(pairs)


def values_getter(fields: Sequence[str]) -> Callable[[Any], Values]:
    """A function from an event to the tuple of its values of ``fields``."""
    if not fields:
        return lambda _: ()
    if len(fields) == 1:
        get = attrgetter(fields[0])
        return lambda event: (get(event),)
    return attrgetter(*fields)


def _extra_fields(known: Sequence[str], rules: Sequence[Sequence[_Named]]) -> list[str]:
    flat = [rule for each in rules for rule in each]
    needed = {
        "model": any(rule.model is not None for rule in flat),
        "vendor": any(rule.vendor is not None for rule in flat),
        "evidence_status": any(rule.evidence is not None for rule in flat),
    }
    return [name for name, is_needed in needed.items() if is_needed and name not in known]


def _named(number: int, rule: Rule) -> _Named:
    if rule.boundary is not None:
        return _named_boundary(number, rule.boundary)
    if rule.review is not None:
        return _named_review(number, rule.review)
    return _Named(number, None, None, None, is_boundary=True)


def _named_boundary(number: int, boundary: Boundary) -> _Named:
    models, vendors = (
        name_check(limit.allow, limit.deny) if limit is not None else None
        for limit in (boundary.models, boundary.vendors)
    )
    return _Named(number, models, vendors, None, is_boundary=True)


def _named_review(number: int, review: Review) -> _Named:
    when = review.when
    models, vendors = (matcher(globs) if globs is not None else None for globs in (when.models, when.vendors))
    evidence = frozenset(map(str, when.evidence_status)) if when.evidence_status is not None else None
    return _Named(number, models, vendors, evidence, is_boundary=False)
