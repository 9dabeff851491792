"""A limit of Envoy's (so many units in a unit of time) on a scope, as the rule of a policy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from spendgate.importers.carrying import Carrying
from spendgate.importers.drafting import Drafts, Scope, budget_rules
from spendgate.importers.reading import Data
from spendgate.importers.values import field_of, nano_of
from spendgate.importers.windows import WindowFound, rolling
from spendgate.model.policy_problems import Path
from spendgate.model.text import NONE

COUNTS = "counts requests or tokens; where a unit is money, name it with --unit-usd {}=DOLLARS"
NO_FIELD = "a policy's scope has no such field, so what stands under it stays behind; name one with --map {}=FIELD"
NO_VALUE = "has characters that no field of an event can hold, so what stands under it stays behind"
TWICE = "names a field that a descriptor above it names already"
EXPECTED_UNITS = "expected a whole number of units that come to dollars below 2^62 nano-USD"
EXPECTED_UNIT = "expected minute, hour, day, week, month or year"
CROSSING = (
    "a call is counted after it ended there, so several may cross at once; here the one that goes beyond is denied"
)
_DAY_S = 86400
_CALENDAR: dict[str, dict[str, Any]] = {
    "hour": {"calendar": "hour"},
    "day": {"calendar": "day"},
    "week": {"calendar": "week", "week_starts": "thursday"},
}
"""Envoy's windows are stretches of the seconds since 1970-01-01, a Thursday."""
_ROLLING_S = {"minute": 60, "month": 30 * _DAY_S, "year": 365 * _DAY_S}
_FIXED = "a fixed stretch there (a minute, 30 days or 365 days from 1970 on), here the window rolls"

Carried = Literal["nothing", "boundary", "budget"]


@dataclass(slots=True)
class Limited:
    """What a limit is on: the scope, what is taken out of it, the groups that count apart, and its fields."""

    label: tuple[str, ...] = ()
    scope: Scope = field(default_factory=dict)
    exclude: Scope = field(default_factory=dict)
    per: tuple[str, ...] = ()
    sources: tuple[Path, ...] = ()

    @property
    def fields(self) -> set[str]:
        """The fields that it names."""
        return {*self.scope, *self.per}


@dataclass(slots=True)
class Session:
    """One import: what becomes of the input, the policies so far, and what keys and units mean."""

    carrying: Carrying
    drafts: Drafts
    mapping: Mapping[str, str]
    nano_per_unit: Mapping[str, int]

    def field_of(self, name: Data) -> str | None:
        """The scope field of a descriptor key or a header."""
        return field_of(name, self.mapping) if isinstance(name, str) else None

    def add(self, limited: Limited, rules: Sequence[dict[str, Any]], sources: Sequence[Path]) -> None:
        """A policy of these rules; its fields are carried."""
        scope: dict[str, Any] = {**limited.scope, **({"exclude": limited.exclude} if limited.exclude else {})}
        kept = [*limited.sources, *sources]
        self.carrying.carry(*kept)
        self.drafts.add(limited.label or ("all",), scope, rules, kept)


def carry_limit(
    session: Session, limited: Limited, amount: Path, unit: Path, domain: str | None, *, warn: bool = False
) -> Carried:
    """The limit of ``amount`` units (of ``domain``) in each ``unit`` of time, and as what it was carried."""
    carrying = session.carrying
    on_breach = "warn" if warn else "deny"
    if nano_of(carrying.at(amount)) == 0:
        carrying.approximate(amount, "forbids there whatever the window, here by a boundary that no call is within")
        carrying.leave(unit, "a limit of zero needs no window")
        session.add(limited, [_nothing(limited, on_breach)], [amount])
        return "boundary"
    nano_per_unit = session.nano_per_unit.get(domain) if domain is not None else None
    if nano_per_unit is None:
        carrying.leave(amount, COUNTS.format("KEY"))
        return "nothing"
    cap, window = nano_of(carrying.at(amount), nano_per_unit), _window(carrying.at(unit))
    if cap is None or window is None:
        carrying.leave(*((amount, EXPECTED_UNITS) if cap is None else (unit, EXPECTED_UNIT)))
        return "nothing"
    carrying.approximate(amount, CROSSING)
    if window.differs:
        carrying.approximate(unit, window.differs)
    session.add(limited, budget_rules(cap, None, window.window, limited.per, on_breach), [amount, unit])
    return "budget"


def _nothing(limited: Limited, on_breach: str) -> dict[str, Any]:
    """A boundary that no call of the scope is within."""
    every_model = ["*"] if "model" in limited.scope else ["*", NONE]
    return {"boundary": {"models": {"deny": every_model}, "on_breach": on_breach}}


def _window(unit: Data) -> WindowFound | None:
    name = unit.casefold() if isinstance(unit, str) else ""
    if name in _CALENDAR:
        return WindowFound(_CALENDAR[name])
    return rolling(_ROLLING_S[name], _FIXED) if name in _ROLLING_S else None
