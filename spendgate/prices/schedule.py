"""The prices of one vendor's model through time: which card holds at which instant."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fnmatch import translate

from spendgate.model.text import NONE
from spendgate.prices import list_prices
from spendgate.prices.cards import Card, Origin, card_of
from spendgate.prices.list_prices import DAY_US, Cuts, ListModel, day_us
from spendgate.prices.own_table import OwnPrice

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
Matcher = Callable[[str | None], bool]


def instant_us(at: datetime) -> int:
    """An aware instant in microseconds since 1970."""
    return (at - EPOCH) // _MICROSECOND


@dataclass(frozen=True)
class Entry:
    """One entry of the tenant's table, ready to be asked. ``to_us`` is the first instant after it."""

    number: int
    own: OwnPrice
    vendor: Matcher
    model: Matcher
    from_us: int | None
    to_us: int | None

    def holds(self, at_us: int) -> bool:
        """Whether the entry is in force at an instant."""
        return (self.from_us is None or self.from_us <= at_us) and (self.to_us is None or at_us < self.to_us)


def entries_of(prices: Sequence[OwnPrice]) -> list[Entry]:
    """The entries of a table in its order."""
    return [
        Entry(i, own, _matcher(own.match.vendor), _matcher(own.match.model), _day_us(own.from_), _day_us(own.to))
        for i, own in enumerate(prices)
    ]


class Schedule:
    """Cards by time for one vendor and model (None where unknown). ``cuts``: where the card may change."""

    def __init__(self, entries: Iterable[Entry], vendor: str | None, model: str | None) -> None:
        matching = [entry for entry in entries if entry.vendor(vendor) and entry.model(model)]
        self._choices = [(entry, _listed(entry, vendor, model)) for entry in matching]
        self._listed = _find(vendor, model)
        self.cuts = self._all_cuts()
        self._instants, self._of_day = sorted(self.cuts.instants_us), sorted(self.cuts.of_day_us)
        self._cards: dict[tuple[int, int], Card | None] = {}

    def card_at(self, at_us: int) -> Card | None:
        """The card in force at an instant (microseconds since 1970); None where there is no price."""
        period = (bisect_right(self._instants, at_us), bisect_right(self._of_day, at_us % DAY_US))
        if period not in self._cards:
            self._cards[period] = self._card(at_us)
        return self._cards[period]

    def _all_cuts(self) -> Cuts:
        cuts = self._listed.cuts() if self._listed else Cuts()
        for entry, listed in self._choices:
            cuts |= Cuts(frozenset(us for us in (entry.from_us, entry.to_us) if us is not None))
            cuts |= listed.cuts() if listed else Cuts()
        return cuts

    def _card(self, at_us: int) -> Card | None:
        at = EPOCH + at_us * _MICROSECOND
        for entry, listed in self._choices:
            if entry.holds(at_us):
                return _own_card(entry, listed, at)
        return _list_card(self._listed, at) if self._listed else None


def _own_card(entry: Entry, listed: ListModel | None, at: datetime) -> Card | None:
    if not entry.own.of_list:
        return card_of([(-1, entry.own.stated())], Origin(own=entry.number))
    if listed is None:
        return None
    origin = Origin(entry.number, listed.vendor, listed.model, entry.own.discount_percent)
    factor = entry.own.factor()
    return card_of([(over, prices.times(factor)) for over, prices in listed.bands(at)], origin)


def _list_card(listed: ListModel, at: datetime) -> Card | None:
    return card_of(listed.bands(at), Origin(vendor=listed.vendor, model=listed.model))


def _listed(entry: Entry, vendor: str | None, model: str | None) -> ListModel | None:
    """The list price that an entry speaks of, if it speaks of one and it is there."""
    if not entry.own.of_list:
        return None
    name = entry.own.list_price_of
    return _find(name.vendor, name.model) if name else _find(vendor, model)


def _find(vendor: str | None, model: str | None) -> ListModel | None:
    return list_prices.find(vendor, model) if vendor is not None and model is not None else None


def _matcher(globs: Sequence[str] | None) -> Matcher:
    """As a policy's scope matches: case-sensitive, a known value only; ``(none)`` an unknown; no list anything."""
    if globs is None:
        return lambda _: True
    none_matches = NONE in globs
    pattern = re.compile("|".join(translate(glob) for glob in globs))
    return lambda value: none_matches if value is None else pattern.match(value) is not None


def _day_us(day: str | None) -> int | None:
    return None if day is None else day_us(date.fromisoformat(day))
