"""Which store is away, since when, and what that means; for people. One for the process."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from policy_store.change import now_ms

StoreName = Literal["policies", "ledger", "redis", "kafka"]
_NAMES: dict[StoreName, str] = {
    "policies": "The policy store", "ledger": "The ledger", "redis": "Redis", "kafka": "Kafka",
}  # fmt: skip
MEANING: dict[StoreName, str] = {
    "policies": "Policies, stagings, reviews and flags cannot be read or changed. Workers go on judging by what they "
    "know. "
    "A flag that was not read within two seconds counts as off, so nothing is blocked that cannot be accounted for.",
    "ledger": "History, stories and simulations cannot be read. Calls are judged as before, and "
    "enforcement is unchanged.",
    "redis": "Counters cannot be read. Nothing can be enforced, and calls follow their policy's fail mode "
    "(open, unless it says otherwise).",
    "kafka": "New events are refused with 503 and are sent again by their senders; live decisions wait. "
    "What is enforced goes on by the counters that there are.",
}  # fmt: skip


class Outage(NamedTuple):
    """A store that does not answer. ``since_ms``: the first time that it did not, as this process has seen it."""

    store: StoreName
    since_ms: int

    @property
    def words(self) -> str:
        """What is the matter."""
        return f"{_NAMES[self.store]} does not answer."

    @property
    def meaning(self) -> str:
        """What that means for who reads, and for enforcement."""
        return MEANING[self.store]


@dataclass
class Outages:
    """What was seen of the stores. ``now_ms``: the time of day."""

    now_ms: Callable[[], int] = now_ms
    _since: dict[StoreName, int] = field(default_factory=dict)
    _seen: set[StoreName] = field(default_factory=set)

    def away(self, store: StoreName) -> Outage:
        """It has not answered, just now."""
        return Outage(store, self._since.setdefault(store, self.now_ms()))

    def now(self, *stores: StoreName) -> tuple[Outage, ...]:
        """Those of these stores that are away."""
        return tuple(Outage(each, since) for each in stores if (since := self._since.get(each)) is not None)

    def answers(self, store: StoreName) -> None:
        """It has answered."""
        self._seen.add(store)
        self._since.pop(store, None)

    def has_answered(self, store: StoreName) -> bool:
        """Whether it ever has: what was there and is not is away, and not yet to be made."""
        return store in self._seen

    def of_code(self, code: str) -> Outage | None:
        """The store that a problem of this code is of. A folder that is empty where a ledger was has not been
        mounted."""
        match code:
            case "store_away":
                return self.away("policies")
            case "no_ledger" if not self.has_answered("ledger"):
                return None
            case "ledger_away" | "no_ledger":
                return self.away("ledger")
            case "redis_away":
                return self.away("redis")
            case _:
                return None
