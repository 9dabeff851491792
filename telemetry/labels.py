"""Names of tenants and policies as labels: so many at most in one process, whatever is staged.

They are names that people gave, and are asked of what is staged alone; no value of an event becomes a label but its
tenant. What comes after the first ``most`` is counted together, under ``(other)``.
"""

import os
from collections.abc import Hashable
from typing import TypeVar

MOST = "SPENDGATE_METRICS_POLICIES"
DEFAULT_MOST = 200
OTHER = "(other)"

T = TypeVar("T", bound=Hashable)


class Labels:
    """The names that have been given a label. ``most``: tenants, and policies of all tenants; 0 gives none."""

    def __init__(self, most: int = DEFAULT_MOST) -> None:
        self.most = most
        self._tenants: set[str] = set()
        self._policies: set[tuple[str, str]] = set()

    def tenant(self, name: str) -> str:
        """The label of a tenant."""
        return name if self._has_room(self._tenants, name) else OTHER

    def policy(self, tenant: str, policy: str) -> tuple[str, str]:
        """The labels of a tenant's policy; both are ``(other)`` past the limit."""
        return (tenant, policy) if self._has_room(self._policies, (tenant, policy)) else (OTHER, OTHER)

    def _has_room(self, known: set[T], wanted: T) -> bool:
        if wanted in known:
            return True
        if len(known) >= self.most:
            return False
        known.add(wanted)
        return True


def most_from_environment() -> int:
    """SPENDGATE_METRICS_POLICIES. Raises ValueError."""
    said = os.environ.get(MOST) or str(DEFAULT_MOST)
    if not said.isdecimal() or int(said) > 10_000:
        raise ValueError(f"{MOST}: expected a whole number up to 10000")
    return int(said)


LABELS = Labels()
"""Those of this process; a composition root sets ``most``."""
