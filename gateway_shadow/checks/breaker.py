"""Lets a dependency that has failed rest for a while."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Breaker:
    """Open for some time after each ``trip``. ``clock``: monotonic seconds."""

    clock: Callable[[], float] = time.monotonic
    _until_s: float = field(default=float("-inf"), init=False)

    def trip(self, rest_s: float) -> None:
        """Ask nothing for so long."""
        self._until_s = self.clock() + rest_s

    def is_open(self) -> bool:
        """Whether nothing is to be asked now."""
        return self.clock() < self._until_s
