"""Where an agent finds its servers, and how it paces itself: all from the environment."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from agents.delivery import Fatal
from agents.pacing import Pace, Timer
from agents.security import Security
from agents.trust import Trust, anyone
from policy_store.errors import Refused
from policy_store.signing import Verifier

WRONG_USAGE = 2
RECORDING = ("ledger-decisions", "ledger-checks", "ledger-rejections")
"""The roles that meet no activations: they record what stands on a topic as it is."""
PREFIX = "SPENDGATE_"
NEEDED = {
    "worker": ("KAFKA", "REDIS"),
    "enforcement": ("KAFKA", "REDIS", "STORE", "STORE_KEYS", "ENFORCEMENT_KEY_FILE"),
    "reconciliation": ("KAFKA", "REDIS", "LEDGER", "STORE", "STORE_KEY_FILE"),
}
"""What each role needs in the environment; the others need Kafka and the ledger."""


@dataclass(frozen=True, slots=True)
class Config:
    """SPENDGATE_KAFKA (host:port, comma separated), SPENDGATE_REDIS (a URL; the shadow worker needs it),
    SPENDGATE_LEDGER (a folder or a URL; the ledger agents need it, the worker seeds and rebuilds from it),
    SPENDGATE_GROUP (default ``spendgate-shadow``, or ``spendgate-`` and the role of a ledger agent),
    SPENDGATE_INSTANCE (a name for this process's slot, unique among live ones), SPENDGATE_KAFKA_SECURITY and what
    belongs to it; SPENDGATE_STORE_KEYS (public keys of the policy store, comma separated: whose activations the worker
    and the agent of events obey, and whose certificates the enforcement agent believes) or SPENDGATE_DEV=1 (anybody's,
    of activations); SPENDGATE_STORE (the policy store's URL) and SPENDGATE_ENFORCEMENT_KEY_FILE (the private key that
    signs leases), which the enforcement agent needs; SPENDGATE_STORE_KEY_FILE (the policy store's private key),
    SPENDGATE_BILLS (a folder) and, in seconds, SPENDGATE_RECONCILE_S and SPENDGATE_RECONCILE_COUNTERS_S, of the
    reconciliation agent; for the ledger agents SPENDGATE_LEDGER_COMMIT_ROWS
    and, in seconds, SPENDGATE_LEDGER_COMMIT_S, SPENDGATE_LEDGER_CHECKPOINT_S, SPENDGATE_LEDGER_COMPACT_S and
    SPENDGATE_LEDGER_VACUUM_S (0: never), and SPENDGATE_LEDGER_KEEP_HOURS.
    """

    kafka: str
    redis: str
    group: str
    instance: str | None
    security: Security = field(default_factory=Security)
    ledger: str | None = None
    pace: Pace = field(default_factory=Pace)
    timer: Timer = field(default_factory=Timer)
    trusts: Trust = anyone
    store: str = ""
    store_keys: tuple[str, ...] = ()
    enforcement_key: Path = Path()
    store_key: Path = Path()
    bills: Path | None = None
    rounds: tuple[float, float] = (300.0, 15.0)

    @classmethod
    def from_environment(cls, role: str = "worker") -> "Config":
        """Raises Fatal if something that ``role`` needs is not set, or is no number where one is expected."""
        needed = NEEDED.get(role, ("KAFKA", "LEDGER"))
        missing = [PREFIX + name for name in needed if not _said(name)]
        if missing:
            raise Fatal(f"expected {' and '.join(missing)} in the environment", WRONG_USAGE)
        return cls(
            _said("KAFKA") or "",
            _said("REDIS") or "",
            _said("GROUP") or ("spendgate-shadow" if role == "worker" else f"spendgate-{role}"),
            _said("INSTANCE"),
            Security.from_environment(),
            _said("LEDGER"),
            Pace(int(_number("LEDGER_COMMIT_ROWS", Pace().rows)), _number("LEDGER_COMMIT_S", Pace().seconds)),
            _timer(),
            anyone if role in (*RECORDING, "enforcement", "reconciliation") else trust_of_environment(),
            _said("STORE") or "",
            _store_keys(),
            Path(_said("ENFORCEMENT_KEY_FILE") or ""),
            Path(_said("STORE_KEY_FILE") or ""),
            Path(bills) if (bills := _said("BILLS")) else None,
            (_number("RECONCILE_S", 300.0, least=0.5), _number("RECONCILE_COUNTERS_S", 15.0, least=0.5)),
        )


def trust_of_environment() -> Trust:
    """Whose activations are obeyed. Raises Fatal where the environment does not say."""
    if _said("DEV") == "1":
        return anyone
    keys = list(_store_keys())
    if not keys:
        raise Fatal(
            "expected SPENDGATE_STORE_KEYS, the public keys of the policy store, in the environment "
            "(SPENDGATE_DEV=1 obeys unsigned stagings: in development alone)",
            WRONG_USAGE,
        )
    try:
        return Verifier(keys).is_signed
    except Refused as error:
        raise Fatal(f"SPENDGATE_STORE_KEYS: {error}", WRONG_USAGE) from None


def _store_keys() -> tuple[str, ...]:
    return tuple(key.strip() for key in (_said("STORE_KEYS") or "").split(",") if key.strip())


def _timer() -> Timer:
    plain = Timer()
    return Timer(
        _number("LEDGER_CHECKPOINT_S", plain.checkpoint_s),
        _number("LEDGER_COMPACT_S", plain.compact_s),
        _number("LEDGER_VACUUM_S", plain.vacuum_s),
        int(_number("LEDGER_KEEP_HOURS", plain.keep_hours, least=24)),
    )


def _said(name: str) -> str | None:
    return os.environ.get(PREFIX + name) or None


def _number(name: str, otherwise: float, least: float = 0) -> float:
    text = _said(name)
    if text is None:
        return otherwise
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not least <= found < float("inf"):
        raise Fatal(f"{PREFIX}{name}: expected a number of at least {least:g}", WRONG_USAGE)
    return found
