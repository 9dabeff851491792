"""Over which version of the ledger a tenant's drafts are simulated: the one that the first has found, for KEPT_S.

Whoever writes a policy compares one draft with the next, so both should be over the same calls; and the process that
simulates has them in memory then.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

KEPT_S, MOST_TENANTS = 300.0, 200


class Read(NamedTuple):
    """A version of the ledger, and when a draft has read it."""

    version: int
    at: datetime | None


@dataclass
class Versions:
    """The version that a tenant's drafts are simulated over. ``clock``: monotonic seconds."""

    clock: Callable[[], float] = time.monotonic
    _known: dict[str, tuple[float, Read]] = field(default_factory=dict)

    def of(self, tenant: str) -> Read | None:
        """None where there is none yet, or it is time for the next."""
        known = self._known.get(tenant)
        return known[1] if known is not None and self.clock() - known[0] < KEPT_S else None

    def keep(self, tenant: str, read: Read) -> None:
        """From now on this one."""
        if len(self._known) >= MOST_TENANTS:
            self._known.clear()
        self._known[tenant] = (self.clock(), read)

    def forget(self, tenant: str) -> None:
        """The next draft reads the ledger as it is then."""
        self._known.pop(tenant, None)
