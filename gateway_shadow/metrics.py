"""What the door counts. Labels are of small fixed sets: no tenant, no key, no path that a sender chose."""

from prometheus_client import Counter, Gauge, Histogram
from starlette.types import Scope

REQUESTS = Counter("spendgate_http_requests_total", "Requests answered.", ["route", "status"])
EVENTS = Counter("spendgate_ingested_events_total", "Events that Kafka has acknowledged.", ["route"])
REFUSED_ITEMS = Counter("spendgate_ingest_refused_items_total", "Items of bodies that are no events.", ["route"])
ACKNOWLEDGED_S = Histogram("spendgate_ingest_acknowledged_seconds", "From handing events to Kafka to its last word.")
WAITING_BYTES = Gauge("spendgate_ingest_waiting_bytes", "Bytes handed to Kafka that are not acknowledged.")
FAILED_KEYS = Counter("spendgate_failed_keys_total", "Requests with a key that is wrong, expired or revoked.")
SIGN_INS = Counter(
    "spendgate_sign_ins_total", "Sign-ins by way (key, oidc, command) and what came of it.", ["way", "said"]
)
CHECKS = Counter("spendgate_checks_total", "Checks by what would have been said, or the fault.", ["said"])
CHECK_S = Histogram(
    "spendgate_check_seconds",
    "Time that a check has taken.",
    buckets=(0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1),
)
RULINGS = Counter("spendgate_check_rulings_total", "Checks by what became of the call.", ["ruling"])
ENFORCING_FAULTS = Counter(
    "spendgate_enforcement_faults_total", "Enforced stagings that met a fault at a check, by what it did.", ["did"]
)
for _ruling in ("allow", "deny", "review"):
    RULINGS.labels(_ruling)  # from 0 on, so that the first is seen
for _did in ("let_through", "refused_by_fault"):
    ENFORCING_FAULTS.labels(_did)
DEMOTED = Counter("spendgate_expiry_demotions_total", "Stagings back in shadow because a certificate ran out.")
CHECKS_LOST = Counter("spendgate_checks_lost_total", "Checks that could not be recorded.")
OUTBOX = Counter("spendgate_outbox_sent_total", "Messages of the policy store that Kafka has acknowledged.")

REVIEWS_ASKED = Counter("spendgate_reviews_asked_total", "Would-be reviews put into the queue.")
REVIEWS_EXPIRED = Counter("spendgate_reviews_expired_total", "Reviews that nobody has answered in time.")
ALERTS_RAISED = Counter("spendgate_alerts_raised_total", "Alerts, sent to anybody or not, by kind.", ["kind"])
ALERT_ATTEMPTS = Counter(
    "spendgate_alert_attempts_total",
    "Attempts to deliver an alert, by kind of target and result.",
    ["target", "result"],
)
ALERTS_DEAD = Counter("spendgate_alert_deliveries_dead_total", "Deliveries that were given up.")
ALERTS_WAITING = Gauge("spendgate_alert_deliveries_waiting", "Deliveries that wait, of all doors together.")
ALERTS_OLDEST_S = Gauge("spendgate_alert_deliveries_oldest_seconds", "For how long the first of them has waited.")
UNREADABLE_DECISIONS = Counter("spendgate_unreadable_decisions_total", "Messages that hold no decisions.")

CONTENTS_KEPT = Counter("spendgate_contents_kept_total", "Calls whose content was kept.", ["mode"])
CONTENTS_ASIDE = Counter("spendgate_contents_set_aside_total", "Calls whose content could not be kept.", ["route"])
CONTENTS_SWEPT = Counter("spendgate_contents_swept_total", "Calls whose content's time was over.")
SIGNATURES = Counter("spendgate_gateway_signatures_total", "Bodies by what came of their signature.", ["said"])


def count_request(scope: Scope, status: int | None) -> None:
    """Count a request by the route that it met, as the program spells it."""
    route = scope.get("route")
    REQUESTS.labels(getattr(route, "path", "(none)"), str(status or "none")).inc()
