"""What a simulation over the ledger says of itself, as the store asks for one before it stages a version."""

from hashlib import sha256
from typing import Any

from policy_store.simulations import Found
from spendgate.model.policy import Budget, LifetimeWindow, Policy
from spendgate.simulate.full_windows import full_windows
from spendgate.simulate.report import encode

DAY_MS = 86_400_000


def found_of(report: dict[str, Any], policy: Policy) -> Found:
    """What a report says of itself, as the store records it."""
    from datetime import datetime

    history, source = report["history"], report["source"]
    first, last = (
        None if history[end] is None else int(datetime.fromisoformat(history[end]).timestamp() * 1000)
        for end in ("from", "to")
    )
    return Found(
        sha256(encode(report).encode()).hexdigest(), report["engine_version"],
        f"{source['kind']} {source['version']}", first, last, fewest_full_windows(policy, first, last),
    )  # fmt: skip


def fewest_full_windows(policy: Policy, first_ms: int | None, last_ms: int | None) -> int:
    """How many full windows a history holds of the budget that has the fewest. A day counts as one where a budget is
    for a lifetime, and where a policy has no budget."""
    if first_ms is None or last_ms is None:
        return 0
    budgets = [rule.budget for rule in policy.spec.rules if rule.budget is not None]
    return min((_full(budget, first_ms, last_ms) for budget in budgets), default=(last_ms - first_ms) // DAY_MS)


def _full(budget: Budget, first_ms: int, last_ms: int) -> int:
    if isinstance(budget.window, LifetimeWindow):
        return (last_ms - first_ms) // DAY_MS
    return len(full_windows(budget, first_ms, last_ms))
