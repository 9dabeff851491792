"""A history at other prices: what the calls would have cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from spendgate.ledger.columns import EVENTS
from spendgate.prices.book import PriceBook
from spendgate.prices.columns import reprice
from spendgate.prices.tally import PriceTally
from spendgate.simulate.history import Passed
from spendgate.simulate.tally import COLUMNS as TALLIED

_COST = EVENTS.field("cost_nano_usd")
_COLUMNS = (
    "kind", "time", "duplicate", "vendor", "model", "input_tokens", "output_tokens", "cached_input_tokens",
    "cache_write_tokens", "reasoning_tokens", "cost_nano_usd",
)  # fmt: skip


@dataclass
class Repriced(Passed):
    """``history`` at the prices of ``book`` at ``at`` (None: at each event's own time). ``tally``: what that
    changed, of the first pass that reads all that a run counts."""

    book: PriceBook
    at: datetime | None
    tally: PriceTally = field(default_factory=PriceTally)
    _counted: bool = False

    def batches(self, columns: Sequence[str], tenant: str | None = None) -> Iterator[Any]:
        """See History."""
        if _COST.name not in columns:
            yield from self.history.batches(columns, tenant)
            return
        counts = not self._counted and set(TALLIED) <= set(columns)
        for batch in self.history.batches(list(dict.fromkeys((*columns, *_COLUMNS))), tenant):
            costs, tally = reprice(batch, self.book, self.at)
            if counts:
                self.tally.merge(tally)
            yield batch.set_column(batch.schema.get_field_index(_COST.name), _COST, costs)
        self._counted |= counts

    def section(self) -> dict[str, Any]:
        """The ``prices`` section of a report."""
        changes = self.tally.differences()
        return {
            "hash": self.book.hash,
            "at": None if self.at is None else self.at.isoformat().replace("+00:00", "Z"),
            "changed_nano_usd": sum(change.difference_nano_usd for _, change in changes),
            "by_model": [{"vendor": pair[0], "model": pair[1], **_sums(change)} for pair, change in changes],
        }


def _sums(change: Any) -> dict[str, int]:
    return {"calls": change.calls, "before_nano_usd": change.before_nano_usd, "after_nano_usd": change.after_nano_usd}
