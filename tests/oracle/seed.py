"""A staging's history: a function of the log before its activation (readings 19 and 20)."""

import msgspec

from spendgate.model.policy import Policy
from tests.oracle.staging import Staging
from tests.oracle.tenant import Tenant
from tests.oracle.windows import window_of


def seed(staging: Staging, tenant: Tenant) -> None:
    """Let the staging judge, from empty counters, what was recorded before it, by the corrections so far.

    The staging must still be in shadow: before its activation nothing of it was enforced.
    """
    if not any(rule.budget is not None for rule in staging.policy.spec.rules):
        return
    instant = seed_instant_ms(staging.policy, tenant.late_horizon_ms or 0)
    costs = tenant.corrected_costs()
    for judged in tenant.accepted:
        if judged.late or (instant is not None and judged.judged_ms < instant):
            continue
        cost = costs.get(judged.place, judged.call.cost_nano_usd)
        call = msgspec.structs.replace(judged.call, cost_nano_usd=cost)
        staging.look(call, judged.judged_ms, late=False)


def seed_instant_ms(policy: Policy, late_horizon_ms: int) -> int | None:
    """The earliest start of the budgets' windows that hold the late horizon; None if a lifetime is among them."""
    budgets = [rule.budget for rule in policy.spec.rules if rule.budget is not None]
    starts = [window_of(budget.window, late_horizon_ms).start_ms for budget in budgets]
    known = [start for start in starts if start is not None]
    return min(known) if len(known) == len(starts) else None
