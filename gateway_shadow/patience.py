"""Who tries too often to get in has to wait: failures by address, keys and sign-ins alike."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway_shadow.beliefs import MOST_KNOWN
from gateway_shadow.problems import Problem

ATTEMPTS, ATTEMPTS_S = 20, 60.0


@dataclass
class Patience:
    """``clock``: monotonic seconds."""

    clock: Callable[[], float]
    _failed: dict[str, tuple[float, int]] = field(default_factory=dict)

    def require(self, address: str) -> None:
        """Raises Problem 429 after many failures from an address."""
        begun, count = self._failed.get(address, (0.0, 0))
        left = begun + ATTEMPTS_S - self.clock()
        if count >= ATTEMPTS and left > 0:
            raise Problem(
                429, "too_many_attempts", "too many attempts from this address have failed",
                headers={"Retry-After": str(int(left) + 1)},
            )  # fmt: skip

    def failed(self, address: str) -> None:
        """One more."""
        begun, count = self._failed.get(address, (0.0, 0))
        if len(self._failed) >= MOST_KNOWN:
            self._failed.clear()
        is_over = self.clock() - begun > ATTEMPTS_S
        self._failed[address] = (self.clock(), 1) if is_over or not count else (begun, count + 1)
