"""A simulation over the ledger, as the store asks for one before it stages a version."""

from hashlib import sha256
from typing import Any

from gateway_shadow.problems import Problem
from policy_store.simulations import Found
from spendgate.ledger.ledger_errors import LedgerError
from spendgate.ledger.reader_problem import InputError
from spendgate.model.policy import Budget, LifetimeWindow, Policy
from spendgate.simulate.full_windows import full_windows
from spendgate.simulate.job import Job, Source, run_job
from spendgate.simulate.report import encode
from spendgate.simulate.selection import Selection

DAY_MS = 86_400_000


def simulated(ledger: str | None, tenant: str, policy: Policy) -> Found:
    """What a simulation over a tenant's whole history says of itself. Raises Problem."""
    if ledger is None:
        raise Problem(409, "no_ledger", "there is no ledger to simulate over: expected SPENDGATE_LEDGER")
    try:
        report = run_job(Job(["spendgate"], [policy], Source(ledger=ledger), Selection(where={"tenant": tenant})))
    except (LedgerError, InputError) as error:
        raise Problem(409, "no_ledger", str(error)) from None
    return found_of(report, policy)


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
