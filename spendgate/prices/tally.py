"""What pricing has done: cost before and after by vendor and model, and what has no price."""

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from spendgate.prices.cards import Why

Pair = tuple[str | None, str | None]
"""Vendor and served model, None where unknown."""


@dataclass
class Change:
    """The calls of one vendor and model, and what they cost by their source and by the chosen prices, nano-USD.

    A sum leaves out what was, or is, unpriced; how many calls that is stands beside it.
    """

    calls: int = 0
    before_nano_usd: int = 0
    after_nano_usd: int = 0
    unpriced_before: int = 0
    unpriced_after: int = 0

    def add(self, other: "Change") -> None:
        """Add another's numbers to these."""
        self.calls += other.calls
        self.before_nano_usd += other.before_nano_usd
        self.after_nano_usd += other.after_nano_usd
        self.unpriced_before += other.unpriced_before
        self.unpriced_after += other.unpriced_after

    @property
    def difference_nano_usd(self) -> int:
        """After less before."""
        return self.after_nano_usd - self.before_nano_usd


@dataclass
class Unpriced:
    """Calls without a price, and their tokens as far as known."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def add(self, other: "Unpriced") -> None:
        """Add another's numbers to these."""
        self.calls += other.calls
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens


class Missing(NamedTuple):
    """A vendor and model with calls that have no price, and why."""

    vendor: str | None
    model: str | None
    why: Why


@dataclass
class PriceTally:
    """Counts of calls; annotations and repeats are in none of them."""

    changes: dict[Pair, Change] = field(default_factory=dict)
    unpriced: dict[Missing, Unpriced] = field(default_factory=dict)

    def add_change(self, pair: Pair, change: Change) -> None:
        """Count calls of a vendor and model."""
        self.changes.setdefault(pair, Change()).add(change)

    def add_unpriced(self, missing: Missing, unpriced: Unpriced) -> None:
        """Count calls without a price."""
        self.unpriced.setdefault(missing, Unpriced()).add(unpriced)

    def merge(self, other: "PriceTally") -> None:
        """Add another tally to this one."""
        for pair, change in other.changes.items():
            self.add_change(pair, change)
        for missing, unpriced in other.unpriced.items():
            self.add_unpriced(missing, unpriced)

    @property
    def total(self) -> Change:
        """Over all vendors and models."""
        total = Change()
        for change in self.changes.values():
            total.add(change)
        return total

    def differences(self) -> list[tuple[Pair, Change]]:
        """The difference report: the largest difference first, then by name."""
        return sorted(self.changes.items(), key=lambda each: (-abs(each[1].difference_nano_usd), _named(each[0])))

    def missing(self) -> list[tuple[Missing, Unpriced]]:
        """What has no price: the most calls first, then by name."""
        return sorted(self.unpriced.items(), key=lambda each: (-each[1].calls, _named(each[0][:2]), each[0].why))

    def as_dict(self) -> dict[str, Any]:
        """For JSON; the same calls give the same text, in whatever order they came."""
        return {
            "total": _change_json(self.total),
            "by_model": [
                {"vendor": vendor, "model": model, **_change_json(change)}
                for (vendor, model), change in self.differences()
            ],
            "unpriced": [
                {"vendor": each.vendor, "model": each.model, "why": each.why.name.lower(), **asdict(unpriced)}
                for each, unpriced in self.missing()
            ],
        }


def _change_json(change: Change) -> dict[str, int]:
    return {**asdict(change), "difference_nano_usd": change.difference_nano_usd}


def _named(pair: Pair) -> tuple[str, str]:
    """A place in order; an unknown name before all others, for none is empty."""
    return pair[0] or "", pair[1] or ""
