"""*Budgets and burn*: how full caps are, and when they are reached at the pace of now."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dev.dashboards.board import OF_POLICY, OF_TENANT, THIRD, WIDE, Query, bars, board, graph, number, rows

_BY = "max by (tenant, policy, rule)"


def budgets() -> Dashboard:
    """The dashboard."""
    return board("spendgate-budgets", "Spendgate: Budgets and burn", "How full caps are, and when they are reached.", [
        number("Fullest budget", "percentunit", "Spent of its cap.",
               Query(f"max(spendgate:budget_spent:ratio{{{OF_POLICY}}})")),
        number("Budgets over their cap", "short", "Of those told of.",
               Query(f"count(spendgate:budget_spent:ratio{{{OF_POLICY}}} >= 1) or vector(0)")),
        number("First to breach", "s", "At the pace of the last quarter of an hour; negative is over.",
               Query(f"min(spendgate:budget_seconds_to_breach:deriv15m{{{OF_POLICY}}}) or vector(0)")),
        number("Spend", "currencyUSD", "An hour.",
               Query(f"sum(spendgate:spend_usd_per_second:rate5m{{{OF_TENANT}}}) * 3600")),
        number("Reviews that wait", "short", "That nobody has answered.",
               Query(f"sum(max by (tenant) (spendgate_reviews_waiting{{{OF_TENANT}}})) or vector(0)")),
        number("Longest wait for a review", "s", "Of the first that waits.",
               Query(f"max(spendgate_reviews_oldest_seconds{{{OF_TENANT}}}) or vector(0)")),
        bars("Spent of the cap", "percentunit", "Of each rule's fullest counter: an owner is no label. 1 is the cap.",
             Query(f"spendgate:budget_spent:ratio{{{OF_POLICY}}}", "{{tenant}} {{policy}} rule {{rule}}")),
        rows("Budgets", "Of each rule's fullest counter, in dollars.",
             Query(f"{_BY} (spendgate_budget_limit_nano_usd{{{OF_POLICY}}}) / 1e9", "cap"),
             Query(f"{_BY} (spendgate_budget_recorded_nano_usd{{{OF_POLICY}}}) / 1e9", "spent"),
             Query(f"{_BY} (spendgate_budget_used_nano_usd{{{OF_POLICY}}}) / 1e9", "admitted"),
             Query(f"{_BY} (spendgate_budget_window_end_timestamp_seconds{{{OF_POLICY}}}) - time()",
                   "window ends in s")),
        graph("Spent of the cap over time", "percentunit", "What was spent, whatever would have been denied.",
              Query(f"spendgate:budget_spent:ratio{{{OF_POLICY}}}", "{{tenant}} {{policy}} rule {{rule}}"),
              width=WIDE),
        graph("Time to breach", "s", "At the pace of the last quarter of an hour.",
              Query(f"spendgate:budget_seconds_to_breach:deriv15m{{{OF_POLICY}}} > 0",
                    "{{tenant}} {{policy}} rule {{rule}}")),
        graph("Dollars an hour by tenant", "currencyUSD", "What was spent.",
              Query(f"spendgate:spend_usd_per_second:rate5m{{{OF_TENANT}}} * 3600", "{{tenant}}")),
        graph("Dollars an hour that are not approved", "currencyUSD", "By policy and verdict.",
              Query(f"sum by (policy, verdict) (spendgate:verdict_usd_per_second:rate5m{{{OF_POLICY}}}) * 3600",
                    "{{policy}} {{verdict}}"), width=THIRD),
        graph("Alerts raised", "cps", "Thresholds and caps that were crossed, sent to anybody or not.",
              Query("sum by (kind) (rate(spendgate_alerts_raised_total[$__rate_interval]))", "{{kind}}"), width=THIRD),
        graph("Alerts that wait for their target", "short", "Of all doors together.",
              Query("max(spendgate_alert_deliveries_waiting)", "waiting"), width=THIRD),
    ])  # fmt: skip
