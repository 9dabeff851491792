"""The tables. Times are integer milliseconds since the epoch, documents are bytes, JSON is text.

``policy_store/migrations`` leads an existing database here; a test holds both equal.
"""

from policy_store.tables.access import api_keys, login_codes, people, session_grants, sessions
from policy_store.tables.alerting import alert_deliveries, alert_targets, alerts
from policy_store.tables.base import metadata
from policy_store.tables.gate import (
    asked_rounds,
    certificates,
    flags,
    flip_requests,
    gate_rules,
    reconciliations,
    waivers,
)
from policy_store.tables.life import policies, simulations, stagings, tenants, versions
from policy_store.tables.private import gateway_keys, gateway_nonces, privacy_settings, tenant_secrets
from policy_store.tables.trail import audit, audit_heads, leases, outbox
from policy_store.tables.work import jobs, reviews

__all__ = [
    "alert_deliveries",
    "alert_targets",
    "alerts",
    "api_keys",
    "asked_rounds",
    "audit",
    "audit_heads",
    "certificates",
    "flags",
    "flip_requests",
    "gate_rules",
    "gateway_keys",
    "gateway_nonces",
    "jobs",
    "leases",
    "login_codes",
    "metadata",
    "outbox",
    "people",
    "policies",
    "privacy_settings",
    "reconciliations",
    "reviews",
    "session_grants",
    "sessions",
    "simulations",
    "stagings",
    "tenant_secrets",
    "tenants",
    "versions",
    "waivers",
]
