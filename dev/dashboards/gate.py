"""*Gate and enforcement*: what is proven, what is turned on, and what that does."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dev.dashboards.board import HALF, OF_POLICY, OF_TENANT, THIRD, Query, board, graph, number, rows

_BY = "max by (tenant, policy, stage)"


def gate() -> Dashboard:
    """The dashboard."""
    return board("spendgate-gate", "Spendgate: Gate and enforcement", "What is proven, turned on, and enforced.", [
        number("Global flag", "bool_on_off", "Off: nothing is blocked, whatever else is on.",
               Query('max(spendgate_flag_on{level="global"}) or vector(0)')),
        number("Enforced policies", "short", "Whose flag is on at all three levels.",
               Query(f'count(max by (tenant, policy) (spendgate_staging_state{{state="enforced", {OF_POLICY}}})) '
                     "or vector(0)")),
        number("Leases", "short", "That are being renewed; as many as are enforced.",
               Query("sum(spendgate_leases) or vector(0)")),
        number("Gates that are ready", "short", "Stagings that might be turned on.",
               Query(f"sum(spendgate:gate_ready{{{OF_POLICY}}}) or vector(0)")),
        number("Next certificate ends", "s", "Of what is enforced.",
               Query(f'min({_BY} (spendgate_certificate_expiry_timestamp_seconds{{stage="enforced", {OF_POLICY}}})) '
                     "- time() or vector(0)")),
        number("Last round", "s", "How long ago the last round of reconciliations ended.",
               Query("time() - max(spendgate_reconciliation_round_timestamp_seconds)")),
        rows("Flags", "1 is on; a policy is enforced where all three levels are.",
             Query(f'max by (level, tenant, policy) (spendgate_flag_on{{{OF_TENANT}}} or '
                   'spendgate_flag_on{level="global"})', "on")),
        rows("Gates", "ready: proven; observing: not enough seen yet; blocked: a criterion failed.",
             Query(f"max by (tenant, policy, stage, state) (spendgate_gate_state{{{OF_POLICY}}}) == 1", "is")),
        rows("Last reconciliation", "Calls that were replayed, and those whose decision differs.",
             Query(f"{_BY} (spendgate_reconciliation_replayed_calls{{{OF_POLICY}}})", "replayed"),
             Query(f"{_BY} (spendgate_reconciliation_differing_calls{{{OF_POLICY}}})", "differing"),
             Query(f"time() - {_BY} (spendgate_reconciliation_timestamp_seconds{{{OF_POLICY}}})", "age in s")),
        rows("Certificates", "Seconds until each runs out.",
             Query(f"{_BY} (spendgate_certificate_expiry_timestamp_seconds{{{OF_POLICY}}}) - time()", "ends in s")),
        graph("Checks by what became of the call", "cps", "allow, or what an enforced policy made of it.",
              Query("sum by (ruling) (rate(spendgate_check_rulings_total[$__rate_interval]))", "{{ruling}}")),
        graph("Faults at enforced checks", "cps", "The fail mode lets the call go on, or refuses it.",
              Query("sum by (did) (rate(spendgate_enforcement_faults_total[$__rate_interval]))", "{{did}}")),
        graph("Calls that enforcing would have blocked", "cps", "And why they were not.",
              Query("sum by (verdict, why) (rate(spendgate_would_block_calls_total[$__rate_interval]))",
                    "{{verdict}}: {{why}}")),
        graph("Leases begun, ended and lost", "cps", "doubted: reservations may have been lost.",
              Query("sum by (kind) (rate(spendgate_enforcement_changes_total[$__rate_interval]))", "{{kind}}")),
        graph("Age of the flag", "s", "How long ago the enforcement agent read it; two seconds are off.",
              Query("max by (instance) (spendgate_flag_age_seconds)", "{{instance}}"), width=THIRD),
        graph("Reconciliations by outcome", "cps", "Of single stagings.",
              Query("sum by (outcome) (rate(spendgate_reconciliations_total[$__rate_interval]))", "{{outcome}}"),
              width=THIRD),
        graph("Time of a reconciliation, 99 %", "s", "Of one staging, over an hour: rounds are minutes apart.",
              Query("histogram_quantile(0.99, sum by (le) (rate(spendgate_reconciliation_seconds_bucket[1h])))",
                    "99 %"), width=THIRD),
        graph("Counters that differ, demotions, rounds that failed", "short", "In an hour.",
              Query("sum(increase(spendgate_counters_unequal_total[1h]))", "counters differ"),
              Query("sum(increase(spendgate_demotions_total[1h]))", "demoted by a fault"),
              Query("sum(increase(spendgate_expiry_demotions_total[1h]))", "demoted as a certificate ran out"),
              Query("sum(increase(spendgate_reconciliations_failed_total[1h]))", "failed"), width=HALF),
        graph("Stagings that wait for an approver", "short", "By tenant.",
              Query(f"max by (tenant) (spendgate_submitted_stagings_waiting{{{OF_TENANT}}}) or vector(0)",
                    "{{tenant}}"),
              width=HALF),
    ])  # fmt: skip
