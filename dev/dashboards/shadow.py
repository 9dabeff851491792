"""*Shadow decisions*: what would have been said, of how much, by which policy."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dev.dashboards.board import HALF, OF_POLICY, OF_TENANT, Query, board, graph, number, rows

_DENY, _NOT_APPROVED = 'verdict="deny"', 'verdict!="approve"'
_CALLS = f"rate(spendgate_tenant_calls_total{{{OF_TENANT}}}[$__rate_interval])"
_NOT = f"rate(spendgate_tenant_calls_total{{{_NOT_APPROVED}, {OF_TENANT}}}[$__rate_interval])"
_COST = f"rate(spendgate_tenant_cost_nano_usd_total{{{OF_TENANT}}}[$__rate_interval])"
_DENIED = f"rate(spendgate_tenant_cost_nano_usd_total{{{_DENY}, {OF_TENANT}}}[$__rate_interval])"
_GIVEN = f"rate(spendgate_policy_verdicts_total{{{OF_POLICY}}}[$__rate_interval])"
_GIVEN_DENIED = f"rate(spendgate_policy_cost_nano_usd_total{{{_DENY}, {OF_POLICY}}}[$__rate_interval])"


def shadow() -> Dashboard:
    """The dashboard."""
    return board("spendgate-shadow", "Spendgate: Shadow decisions", "What the staged policies would have said.", [
        number("Decisions", "cps", "A second, of these tenants.", Query(f"sum({_CALLS})")),
        number("Spend", "currencyUSD", "An hour, at the pace of now.", Query(f"sum({_COST}) * 3600 / 1e9")),
        number("Would be denied", "currencyUSD", "An hour, at the pace of now.",
               Query(f"sum({_DENIED}) * 3600 / 1e9")),
        number("Not approved", "percentunit", "Calls that are warned of, held or denied.",
               Query(f"sum({_NOT}) / (sum({_CALLS}) > 0) or vector(0)")),
        number("Live stagings", "short", "In shadow or enforced.",
               Query(f"sum(max by (tenant, policy, state) (spendgate_staging_state{{{OF_POLICY}}})) or vector(0)")),
        number("Reviews that wait", "short", "That nobody has answered.",
               Query(f"sum(max by (tenant) (spendgate_reviews_waiting{{{OF_TENANT}}})) or vector(0)")),
        graph("Calls by would-be verdict", "cps", "The worst of all policies.",
              Query(f"sum by (verdict) ({_CALLS})", "{{verdict}}")),
        graph("Dollars an hour by would-be verdict", "currencyUSD", "What those calls cost.",
              Query(f"sum by (verdict) ({_COST}) * 3600 / 1e9", "{{verdict}}")),
        graph("Verdicts by policy", "cps", "The worst of its own rules; approvals are not told.",
              Query(f"sum by (policy, stage, verdict) ({_GIVEN})", "{{policy}} {{stage}} {{verdict}}")),
        graph("Would-be denied dollars an hour, by policy", "currencyUSD", "Of what each policy alone would deny.",
              Query(f"sum by (policy) ({_GIVEN_DENIED}) * 3600 / 1e9", "{{policy}}")),
        graph("Pre-call checks by what would be said", "cps", "Or the fault that answered them.",
              Query("sum by (said) (rate(spendgate_checks_total[$__rate_interval]))", "{{said}}")),
        graph("Time of a check", "s", "What a caller waits for us.",
              Query("histogram_quantile(0.5, sum by (le) (rate(spendgate_check_seconds_bucket[$__rate_interval])))",
                    "50 %"),
              Query("histogram_quantile(0.99, sum by (le) (rate(spendgate_check_seconds_bucket[$__rate_interval])))",
                    "99 %", exemplars=True)),
        rows("States", "Of each policy's live stagings.",
             Query(f"max by (tenant, policy, state) (spendgate_staging_state{{{OF_POLICY}}})", "live"), width=HALF),
        rows("Last changes", "When the log last said so of a policy.",
             Query(f"max by (tenant, policy, action) "
                   f"(spendgate_stage_changed_timestamp_seconds{{{OF_POLICY}}}) * 1000", "at (ms)"), width=HALF),
    ])  # fmt: skip
