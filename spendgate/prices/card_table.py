"""Cards as arrays, so that numpy prices a million calls at once; the same integers as ``cards.assess``."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spendgate.model.money import MAX_COST_NANO_USD
from spendgate.prices.cards import KINDS, Band, Card, Tokens, Why, assess

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
_NEVER = np.iinfo(np.int64).max
_ROOM = 2**62 - 1
"""A sum of products stays within it, or the call is priced by Python's own integers."""
_NO_BAND = Band(int(_NEVER), (0,) * len(KINDS), 0)


@dataclass(frozen=True)
class Counts:
    """The token counts of n calls, 0 where unknown, and which calls do not know their input or output."""

    no_input: Bools
    no_output: Bools
    input: Ints
    output: Ints
    cached_input: Ints
    cache_write: Ints
    reasoning: Ints

    def of(self, row: int) -> Tokens:
        """One call's counts as the event has them."""
        return Tokens(
            None if self.no_input[row] else int(self.input[row]),
            None if self.no_output[row] else int(self.output[row]),
            int(self.cached_input[row]),
            int(self.cache_write[row]),
            int(self.reasoning[row]),
        )

    def kinds(self) -> tuple[Ints, ...]:
        """Tokens of each of ``KINDS``; below 0 where the parts are more than a known whole."""
        cached, write = np.where(self.no_input, 0, self.cached_input), np.where(self.no_input, 0, self.cache_write)
        reasoning = np.where(self.no_output, 0, self.reasoning)
        return self.input - cached - write, cached, write, self.output - reasoning, reasoning


class CardTable:
    """Cards (None: no price) side by side; bands are padded to the most that any of them has."""

    def __init__(self, cards: Sequence[Card | None]) -> None:
        self._cards = cards
        self._width = max((len(card.bands) for card in cards if card), default=1)
        bands = [band for card in cards for band in self._padded(card)]
        self._over = np.array([band.over for band in bands], np.int64).reshape(-1, self._width)
        self._no_rate = np.array([[rate is None for rate in band.per_token] for band in bands])
        self._limit = np.array([self._limit_of(i, band) for i, band in enumerate(bands)], np.int64)
        exact = [band if limit >= 0 else _NO_BAND for band, limit in zip(bands, self._limit, strict=True)]
        self._per_token = np.array([[rate or 0 for rate in band.per_token] for band in exact], np.int64)
        self._per_call = np.array([band.per_call for band in exact], np.int64)
        self._scale = np.array([card.scale if card and card.scale <= _ROOM // 2 else 1 for card in cards], np.int64)
        self._none = np.array([card is None for card in cards])
        self._needs_input = np.array([card is not None and card.needs_input for card in cards])
        self._needs_output = np.array([card is not None and card.needs_output for card in cards])

    def assess(self, which: Ints, counts: Counts) -> tuple[Ints, NDArray[np.int8]]:
        """For n calls, call i under card ``which[i]``: costs in nano-USD (0 where there is none) and ``Why``."""
        band = self._bands(which, counts.input)
        kinds = counts.kinds()
        why = self._refusals(which, band, counts, kinds)
        costs = self._costs(which, band, kinds)
        for row in np.flatnonzero((why == Why.PRICED) & (counts.input + counts.output > self._limit[band])):
            cost, why[row] = assess(self._cards[which[row]], counts.of(int(row)))
            costs[row] = cost or 0
        why[(why == Why.PRICED) & (costs > MAX_COST_NANO_USD)] = Why.TOO_LARGE
        costs[why != Why.PRICED] = 0
        return costs, why

    def _padded(self, card: Card | None) -> list[Band]:
        bands = list(card.bands) if card else []
        return bands + [_NO_BAND] * (self._width - len(bands))

    def _limit_of(self, index: int, band: Band) -> int:
        """The most tokens of a call whose sum surely fits into 64 bits; below 0 if none does."""
        card = self._cards[index // self._width]
        if card is None:
            return int(_NEVER)
        highest = max((rate for rate in band.per_token if rate), default=1)
        room = _ROOM - band.per_call
        return min(room // highest, int(_NEVER)) if room >= 0 and highest <= _ROOM and card.scale <= _ROOM // 2 else -1

    def _bands(self, which: Ints, input_tokens: Ints) -> Ints:
        """The row of the table that prices each call."""
        rows: Ints = which * self._width
        for band in range(1, self._width):
            rows += input_tokens > self._over[which, band]
        return rows

    def _refusals(self, which: Ints, band: Ints, counts: Counts, kinds: tuple[Ints, ...]) -> NDArray[np.int8]:
        no_rate = np.zeros(len(which), np.bool_)
        contradiction = np.zeros(len(which), np.bool_)
        for kind, count in enumerate(kinds):
            no_rate |= (count != 0) & self._no_rate[band, kind]
            contradiction |= count < 0
        no_tokens = (counts.no_input & self._needs_input[which]) | (counts.no_output & self._needs_output[which])
        found = [self._none[which], contradiction, no_tokens, no_rate]
        reasons = [Why.NO_PRICE, Why.CONTRADICTION, Why.NO_TOKENS, Why.NO_RATE]
        why: NDArray[np.int8] = np.select(found, [np.int8(each) for each in reasons], np.int8(Why.PRICED))
        return why

    def _costs(self, which: Ints, band: Ints, kinds: tuple[Ints, ...]) -> Ints:
        """Right wherever the tokens are within the limit; elsewhere it may have wrapped around."""
        total = self._per_call[band]
        for kind, count in enumerate(kinds):
            total += count * self._per_token[band, kind]
        scale = self._scale[which]
        whole, rest = np.divmod(total, scale)
        rounded: Ints = whole + ((2 * rest > scale) | ((2 * rest == scale) & (whole % 2 == 1)))
        return rounded
