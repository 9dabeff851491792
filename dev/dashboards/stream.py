"""*Stream health*: whether every event is judged, and soon."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dev.dashboards.board import THIRD, Query, board, graph, number

_LAG = "sum by (le) (rate(spendgate_decision_lag_seconds_bucket[$__rate_interval]))"


def stream() -> Dashboard:
    """The dashboard."""
    return board("spendgate-stream", "Spendgate: Stream health", "Whether every event is judged, and soon.", [
        number("Processes that answer", "short", "Of all that are scraped.",
               Query('sum(up{job=~"spendgate-.+"})')),
        number("Not ready", "short", "Agents that something hinders; their /health/ready says what.",
               Query("count(spendgate_ready == 0) or vector(0)")),
        number("Messages that wait", "short", "Of the events' log, and not judged yet.",
               Query('sum(spendgate_lag_messages{job="spendgate-worker"})')),
        number("Lag, 99 %", "s", "From the append of an event to its decision, five minutes.",
               Query("spendgate:decision_lag_seconds:p99_5m or vector(0)")),
        number("Rejected", "percentunit", "Of all records, five minutes.",
               Query("spendgate:rejected:ratio5m or vector(0)")),
        number("Last event", "s", "How long ago the last event that was judged had been appended.",
               Query("time() - max(spendgate_last_event_timestamp_seconds)")),
        graph("Events by what became of them", "cps", "Duplicates and annotations get no decision.",
              Query("sum by (outcome) (rate(spendgate_events_total[$__rate_interval]))", "{{outcome}}")),
        graph("Lag of decisions", "s", "From the broker's append to the applied decision. Examples name their place in "
              "the log, and their trace where there is one.",
              Query(f"histogram_quantile(0.5, {_LAG})", "50 %"),
              Query(f"histogram_quantile(0.99, {_LAG})", "99 %", exemplars=True)),
        graph("Rejected records by reason", "cps", "Set aside for good; docs/events.md says what each means.",
              Query("sum by (reason) (rate(spendgate_rejected_total[$__rate_interval])) > 0 "
                    "or sum by (reason) (rate(spendgate_rejected_total{reason=\"bad_json\"}[$__rate_interval]))",
                    "{{reason}}")),
        graph("Messages that wait, by process", "short", "Not handled yet.",
              Query("sum by (job, instance) (spendgate_lag_messages)", "{{job}} {{instance}}")),
        graph("Partitions that wait for something", "short", "store: Redis; broker: Kafka.",
              Query("sum by (job, dependency) (spendgate_waiting_partitions)", "{{job}} {{dependency}}"), width=THIRD),
        graph("Batches tried again", "cps", "Nothing is lost by it.",
              Query("sum by (agent, dependency) (rate(spendgate_delivery_retries_total[$__rate_interval]))",
                    "{{agent}} {{dependency}}"), width=THIRD),
        graph("Events applied again, seeds built", "cps", "Applied again after Redis lost something.",
              Query("sum(rate(spendgate_rebuilt_events_total[$__rate_interval]))", "applied again"),
              Query("sum(rate(spendgate_seeds_total[$__rate_interval]))", "seeds"), width=THIRD),
        graph("Time of a batch, 99 %", "s", "To judge, publish and apply.",
              Query("histogram_quantile(0.99, sum by (le) (rate(spendgate_batch_seconds_bucket[$__rate_interval])))",
                    "99 %"), width=THIRD),
        graph("Rows into the ledger", "rowsps", "By table.",
              Query("sum by (table) (rate(spendgate_ledger_rows_total[$__rate_interval]))", "{{table}}"), width=THIRD),
        graph("Time of a ledger commit, 99 %", "s", "To write and commit one book.",
              Query("histogram_quantile(0.99, sum by (le) "
                    "(rate(spendgate_ledger_commit_seconds_bucket[$__rate_interval])))", "99 %"), width=THIRD),
        graph("Events through the door", "cps", "Acknowledged by Kafka, by route.",
              Query("sum by (route) (rate(spendgate_ingested_events_total[$__rate_interval]))", "{{route}}"),
              width=THIRD),
        graph("Kafka's acknowledgement, 99 %", "s", "From handing events to Kafka to its last word.",
              Query("histogram_quantile(0.99, sum by (le) "
                    "(rate(spendgate_ingest_acknowledged_seconds_bucket[$__rate_interval])))", "99 %", exemplars=True),
              width=THIRD),
        graph("Requests by status", "reqps", "Of all doors.",
              Query("sum by (status) (rate(spendgate_http_requests_total[$__rate_interval]))", "{{status}}"),
              width=THIRD),
        graph("The policy store's outbox", "short", "Messages that are not on Kafka yet.",
              Query("max(spendgate_outbox_waiting_messages)", "waiting"), width=THIRD),
        graph("Policy store answers", "short", "1 where it does, by door.",
              Query("min by (instance) (spendgate_policy_store_up)", "{{instance}}"), width=THIRD),
        graph("Bytes that wait for Kafka", "bytes", "In the doors.",
              Query("sum by (instance) (spendgate_ingest_waiting_bytes)", "{{instance}}"), width=THIRD),
    ])  # fmt: skip
