"""What the store said, and when: it is believed for a moment, so that not every request asks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

BELIEVED_S = 1.0
"""So long; whatever is revoked is refused everywhere within two seconds."""
WITHOUT_STORE_S = 300.0
"""While the store is away."""
MOST_KNOWN = 10_000
T = TypeVar("T")


@dataclass
class Beliefs(Generic[T]):
    """By id. ``clock``: monotonic seconds."""

    clock: Callable[[], float]
    _known: dict[str, tuple[float, T]] = field(default_factory=dict)

    def get(self, id_: str, for_s: float) -> T | None:
        """What was said within the last so many seconds."""
        known = self._known.get(id_)
        return None if known is None or self.clock() - known[0] > for_s else known[1]

    def put(self, id_: str, said: T) -> None:
        """It is said now."""
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[id_] = (self.clock(), said)

    def drop(self, id_: str) -> None:
        """Believe it no more."""
        self._known.pop(id_, None)
