"""What counters are called in a store: slots, fields, and when no verdict can read a slot any more."""

from functools import lru_cache
from typing import NamedTuple

from spendgate.engine.compile import Program
from spendgate.engine.counters import TOTAL, VIEW, Counters, Slot
from spendgate.engine.rules import CALENDAR, LIFETIME, ROLLING
from spendgate.engine.windows import BLOCK, BUCKETS

NEVER = 2**53
"""The expiry (ms) of a lifetime slot: later than any horizon."""

Heads = tuple[str, ...]
"""What the names of some fields begin with, of admitted and recorded sums in turn; a key ends them."""


class Window(NamedTuple):
    """What is added up for one budget, for any key: by the name of each slot the heads of fields. ``key``: which of the
    keys that are asked for ends them."""

    key: int
    slots: tuple[tuple[str, Heads], ...]


class SlotNames:
    """Names of one tenant's slots under one program. A name says tenant, staging, rule and window, parted by
    spaces, which names do not hold; a field says which sum (``a`` admitted, ``r`` recorded), bucket and key. Beside its
    buckets a rolling slot holds their total (``A`` and ``R``, without a bucket), for those who need no more.
    """

    def __init__(self, tenant: str, program: Program, counters: Counters) -> None:
        self._tenant, self._program, self._counters = tenant, program, counters
        self._rows = {int(number): row for row, number in enumerate(program.rules.rows["counter"])}
        self._slots: dict[int, tuple[str, int]] = {}
        self._fields: dict[int, tuple[str, str]] = {}
        self._shared: dict[tuple[int, int], tuple[str, str]] = {}
        self._whole: dict[tuple[int, int], list[str]] = {}
        self._prefixes: dict[int, str] = {}

    def slot(self, number: int) -> tuple[str, int]:
        """The name of a slot, and the instant (ms) after which no verdict can read it."""
        known = self._slots.get(number)
        if known is None:
            slot = self._counters.slot(number)
            known = self._slots[number] = (self._name(slot), self._expires_ms(slot))
        return known

    def fields(self, slot: int, bucket: int) -> tuple[str, str]:
        """The fields of the admitted and the recorded sum of a slot's bucket, or of its TOTAL."""
        place = slot * (BLOCK + 1) + bucket
        known = self._fields.get(place)
        if known is None:
            known = self._fields[place] = self._texts(self._counters.slot(slot).key, bucket)
        return known

    def whole(self, slot: int) -> list[str]:
        """All fields of a slot, bucket by bucket, of each the admitted and the recorded sum. Not to be changed."""
        key, buckets = self._counters.slot(slot).key, len(self.buckets(slot))
        known = self._whole.get((key, buckets))
        if known is None:
            known = self._whole[key, buckets] = [text for bucket in range(buckets) for text in self._texts(key, bucket)]
        return known

    def window(self, row: int, window: int) -> Window:
        """The window of a budget in row ``row``: that which starts at ``window`` (ms), or ends with that bucket."""
        prefix, rule = self.prefix(row), self._program.rules.rows[row]
        slots = _blocks(window) if rule["window"] == ROLLING else ((window, _heads(0, 1)),)
        return Window(int(rule["group"]), tuple((f"{prefix}{place}", heads) for place, heads in slots))

    def prefix(self, row: int) -> str:
        """What the names of all slots of a rule begin with; the window follows."""
        known = self._prefixes.get(row)
        if known is None:
            staging, rule = self._counters.name(int(self._program.rules.rows["counter"][row]))
            known = self._prefixes[row] = f"{staging_prefix(self._tenant, staging)}{rule} "
        return known

    def forget(self) -> None:
        """The counters have forgotten their slots: what is known by a slot's number is void, texts of keys are not."""
        self._slots.clear()
        self._fields.clear()

    def _texts(self, key: int, bucket: int) -> tuple[str, str]:
        known = self._shared.get((key, bucket))
        if known is None:
            text = self._counters.key_text(key)
            admitted, recorded = _TOTALS if bucket == TOTAL else _heads(bucket, bucket + 1)
            known = self._shared[key, bucket] = (admitted + text, recorded + text)
        return known

    def buckets(self, slot: int) -> range:
        """The buckets that a slot has."""
        row = self._rows[self._counters.slot(slot).counter]
        return range(BLOCK if self._program.rules.rows["window"][row] == ROLLING else 1)

    def is_current(self, slot: int) -> bool:
        """Whether the slot belongs to a staging that is still in force."""
        return self._counters.slot(slot).counter in self._rows

    def _name(self, slot: Slot) -> str:
        return f"{self.prefix(self._rows[slot.counter])}{slot.window}"

    def _expires_ms(self, slot: Slot) -> int:
        rules, row = self._program.rules.rows, self._rows[slot.counter]
        if rules["window"][row] == LIFETIME:
            return NEVER
        if rules["window"][row] == CALENDAR:
            table = self._program.tables[int(rules["table"][row])]
            table.cover(slot.window, slot.window)
            return table.window_of(slot.window)[1]
        return (BLOCK * slot.window + BLOCK - 1 + BUCKETS) * int(rules["width_ms"][row])


_TOTALS: Heads = ("A ", "R ")


@lru_cache(maxsize=512)
def _heads(first: int, last: int) -> Heads:
    """Of the buckets ``first`` to ``last`` of a slot, the last one not among them."""
    return tuple(f"{which}{bucket} " for bucket in range(first, last) for which in "ar")


def _blocks(bucket: int) -> list[tuple[int, Heads]]:
    """The blocks of the rolling window that ends with ``bucket``: all of those within it, and parts of two."""
    youngest, end = bucket // BLOCK, bucket % BLOCK + 1
    found = [(youngest, _heads(0, end)), *((youngest - back, _TOTALS) for back in range(1, VIEW - 1))]
    return found if end == BLOCK else [*found, (youngest - VIEW + 1, _heads(end, BLOCK))]


def staging_prefix(tenant: str, staging: str) -> str:
    """What the names of all of a staging's slots start with."""
    return f"{tenant} {staging} "
