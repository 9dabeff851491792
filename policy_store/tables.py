"""The tables. Times are integer milliseconds since the epoch, documents are bytes, JSON is text.

``policy_store/migrations`` leads an existing database here; a test holds both equal.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_NAME, _HASH = String(128), String(64)
_NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself in a column of this very type alone."""

tenants = Table(
    "tenants",
    metadata,
    Column("name", _NAME, primary_key=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("one_person", Boolean, nullable=False),
    Column("settings", Text, nullable=False),
    Column("revision", Integer, nullable=False),
)

policies = Table(
    "policies",
    metadata,
    Column("tenant", _NAME, primary_key=True),
    Column("name", _NAME, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("created_by", _NAME, nullable=False),
    ForeignKeyConstraint(["tenant"], ["tenants.name"]),
)

versions = Table(
    "versions",
    metadata,
    Column("tenant", _NAME, primary_key=True),
    Column("policy", _NAME, primary_key=True),
    Column("hash", _HASH, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("source", Text, nullable=False),
    Column("author", _NAME, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    ForeignKeyConstraint(["tenant", "policy"], ["policies.tenant", "policies.name"]),
    UniqueConstraint("tenant", "policy", "number"),
)

simulations = Table(
    "simulations",
    metadata,
    Column("id", _NAME, primary_key=True),
    Column("tenant", _NAME, nullable=False),
    Column("policy", _NAME, nullable=False),
    Column("hash", _HASH, nullable=False),
    Column("report_sha256", _HASH, nullable=False),
    Column("engine_version", _NAME, nullable=False),
    Column("source", Text, nullable=False),
    Column("from_ms", BigInteger),
    Column("to_ms", BigInteger),
    Column("full_windows", Integer, nullable=False),
    Column("recorded_by", _NAME, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    ForeignKeyConstraint(["tenant", "policy", "hash"], ["versions.tenant", "versions.policy", "versions.hash"]),
    Index(None, "tenant", "policy", "hash"),
)

stagings = Table(
    "stagings",
    metadata,
    Column("id", _NAME, primary_key=True),
    Column("tenant", _NAME, nullable=False),
    Column("policy", _NAME, nullable=False),
    Column("hash", _HASH, nullable=False),
    Column("state", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("waiver", Text),
    Column("submitted_by", _NAME, nullable=False),
    Column("submitted_ms", BigInteger, nullable=False),
    Column("decided_by", _NAME),
    Column("decided_ms", BigInteger),
    Column("alone", Boolean, nullable=False),
    Column("ended_by", _NAME),
    Column("ended_ms", BigInteger),
    ForeignKeyConstraint(["tenant", "policy", "hash"], ["versions.tenant", "versions.policy", "versions.hash"]),
    Index(None, "tenant", "policy"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("tenant", _NAME, nullable=False),
    Column("person", _NAME, nullable=False),
    Column("role", String(16), nullable=False),
    Column("secret_sha256", _HASH, nullable=False),
    Column("created_by", _NAME, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    Column("replaces", String(16)),
    ForeignKeyConstraint(["tenant"], ["tenants.name"]),
    Index(None, "tenant"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("topic", String(16), nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("sent_ms", BigInteger),
    Index(None, "sent_ms", "number"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", _NAME, primary_key=True),
    Column("holder", _NAME, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("tenant", _NAME, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", _NAME, nullable=False),
    Column("action", String(32), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("before", Text),
    Column("after", Text),
    Column("why", Text),
    Column("previous", _HASH, nullable=False),
    Column("hash", _HASH, nullable=False),
)

audit_heads = Table(
    "audit_heads",
    metadata,
    Column("tenant", _NAME, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("hash", _HASH, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("id", _NAME, nullable=False),
    Column("tenant", _NAME, nullable=False),
    Column("policy", _NAME, nullable=False),
    Column("hash", _HASH, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("is_stored", Boolean, nullable=False),
    Column("options", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("holder", _NAME),
    Column("until_ms", BigInteger),
    Column("tries", Integer, nullable=False),
    Column("rows_done", BigInteger, nullable=False),
    Column("rows_total", BigInteger),
    Column("created_by", _NAME, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("started_ms", BigInteger),
    Column("ended_ms", BigInteger),
    Column("ended_by", _NAME),
    Column("problem", Text),
    Column("ledger_version", BigInteger),
    Column("engine_version", _NAME),
    Column("report", LargeBinary),
    Column("report_sha256", _HASH),
    Column("facts", Text),
    Column("simulation", _NAME),
    ForeignKeyConstraint(["tenant"], ["tenants.name"]),
    UniqueConstraint("id"),
    Index(None, "state", "number"),
    Index(None, "tenant", "number"),
)

reviews = Table(
    "reviews",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant", _NAME, nullable=False),
    Column("decision_id", String(300), nullable=False),
    Column("staging", _NAME, nullable=False),
    Column("policy", _NAME, nullable=False),
    Column("stage", String(16), nullable=False),
    Column("source", _NAME, nullable=False),
    Column("event_id", _NAME, nullable=False),
    Column("event_ms", BigInteger, nullable=False),
    Column("asked_ms", BigInteger, nullable=False),
    Column("cost_nano_usd", BigInteger),
    Column("words", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("reviewers", Text, nullable=False),
    Column("expires_ms", BigInteger),
    Column("on_expiry", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("claimed_by", _NAME),
    Column("claimed_ms", BigInteger),
    Column("decided_by", _NAME),
    Column("decided_ms", BigInteger),
    Column("note", Text),
    Index(None, "tenant", "state", "asked_ms", "id"),
    Index(None, "state", "expires_ms"),
)

alert_targets = Table(
    "alert_targets",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant", _NAME, nullable=False),
    Column("name", _NAME, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("origin", String(300), nullable=False),
    Column("url_sealed", Text, nullable=False),
    Column("secret_sealed", Text),
    Column("previous_sealed", Text),
    Column("previous_until_ms", BigInteger),
    Column("policies", Text, nullable=False),
    Column("kinds", Text, nullable=False),
    Column("from_percent", Integer, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("paused_until_ms", BigInteger),
    Column("created_ms", BigInteger, nullable=False),
    Column("created_by", _NAME, nullable=False),
    ForeignKeyConstraint(["tenant"], ["tenants.name"]),
    UniqueConstraint("tenant", "name"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant", _NAME, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("policy", _NAME, nullable=False),
    Column("staging", _NAME, nullable=False),
    Column("stage", String(16), nullable=False),
    Column("words", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("series", _HASH),
    Column("rule", Integer),
    Column("counter", Text),
    Column("threshold_percent", Integer),
    Column("verdict", String(16)),
    Column("window_start_ms", BigInteger),
    Column("window_end_ms", BigInteger),
    Column("limit_nano_usd", BigInteger),
    Column("used_before_nano_usd", BigInteger),
    Column("cost_nano_usd", BigInteger),
    Column("source", _NAME),
    Column("event_id", _NAME),
    Column("event_ms", BigInteger),
    Column("decision_id", String(300)),
    Index(None, "tenant", "at_ms", "id"),
    Index(None, "series", "window_end_ms"),
    Index(None, "at_ms"),
)

alert_deliveries = Table(
    "alert_deliveries",
    metadata,
    Column("alert", String(64), primary_key=True),
    Column("target", String(64), primary_key=True),
    Column("target_name", _NAME, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("next_ms", BigInteger),
    Column("holder", _NAME),
    Column("until_ms", BigInteger),
    Column("ended_ms", BigInteger),
    Column("status", Integer),
    Column("problem", Text),
    ForeignKeyConstraint(["alert"], ["alerts.id"]),
    Index(None, "state", "next_ms"),
    Index(None, "target", "state", "next_ms"),
)

reconciliations = Table(
    "reconciliations",
    metadata,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("id", _NAME, nullable=False),
    Column("tenant", _NAME, nullable=False),
    Column("policy", _NAME, nullable=False),
    Column("staging", _NAME, nullable=False),
    Column("on_demand", Boolean, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("gate", String(16), nullable=False),
    Column("from_ms", BigInteger),
    Column("to_ms", BigInteger),
    Column("replayed", BigInteger, nullable=False),
    Column("differing", BigInteger, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("sha256", _HASH, nullable=False),
    Column("recorded_by", _NAME, nullable=False),
    Column("recorded_ms", BigInteger, nullable=False),
    ForeignKeyConstraint(["staging"], ["stagings.id"]),
    UniqueConstraint("id"),
    Index(None, "tenant", "policy", "number"),
    Index(None, "staging", "number"),
)
"""``from_ms``, ``to_ms``: what was observed. ``gate``: what the staging's gate was with it."""

gate_rules = Table(
    "gate_rules",
    metadata,
    Column("tenant", _NAME, primary_key=True),
    Column("rules", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("changed_by", _NAME, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
    ForeignKeyConstraint(["tenant"], ["tenants.name"]),
)

waivers = Table(
    "waivers",
    metadata,
    Column("id", _NAME, primary_key=True),
    Column("tenant", _NAME, nullable=False),
    Column("staging", _NAME, nullable=False),
    Column("criterion", String(16), nullable=False),
    Column("why", Text, nullable=False),
    Column("made_by", _NAME, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Column("ended_by", _NAME),
    Column("ended_ms", BigInteger),
    ForeignKeyConstraint(["staging"], ["stagings.id"]),
    Index(None, "staging"),
)

certificates = Table(
    "certificates",
    metadata,
    Column("id", _NAME, primary_key=True),
    Column("tenant", _NAME, nullable=False),
    Column("staging", _NAME, nullable=False),
    Column("reconciliation", _NAME, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("issued_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    ForeignKeyConstraint(["staging"], ["stagings.id"]),
    Index(None, "staging", "issued_ms"),
    Index(None, "reconciliation"),
)

flags = Table(
    "flags",
    metadata,
    Column("level", String(16), primary_key=True),
    Column("subject", _NAME, primary_key=True),
    Column("tenant", _NAME, nullable=False),
    Column("is_on", Boolean, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("asked_by", _NAME),
    Column("changed_by", _NAME, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
    Column("why", Text),
    Column("share", Text),
    Column("certificate", _NAME),
    Column("proof_after", BigInteger, nullable=False),
    Column("begun_ms", BigInteger),
    ForeignKeyConstraint(["certificate"], ["certificates.id"]),
)
"""A flag that is not here is off. ``subject``: the tenant, or of the level ``policy`` the staging, of the level
``global`` nothing. ``proof_after``: only reconciliations with a higher number prove anything of it. ``begun_ms``: when
a first lease was granted by it."""

flip_requests = Table(
    "flip_requests",
    metadata,
    Column("id", _NAME, primary_key=True),
    Column("tenant", _NAME, nullable=False),
    Column("level", String(16), nullable=False),
    Column("subject", _NAME, nullable=False),
    Column("share", Text),
    Column("why", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("asked_by", _NAME, nullable=False),
    Column("asked_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("decided_by", _NAME),
    Column("decided_ms", BigInteger),
    Index(None, "tenant", "asked_ms"),
    Index(None, "level", "subject", "state"),
)

people = Table(
    "people",
    metadata,
    Column("name", _NAME, primary_key=True),
    Column("person", _NAME, nullable=False),
    Column("issuer", String(300)),
    Column("subject", String(255)),
    Column("created_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger),
    UniqueConstraint("issuer", "subject"),
)
"""``name``: as a provider says it; ``person``: who that is here; ``issuer`` and ``subject``: the account behind it."""

sessions = Table(
    "sessions",
    metadata,
    Column("id", _NAME, primary_key=True),
    Column("secret_sha256", _HASH, nullable=False),
    Column("tenant", _NAME, nullable=False),
    Column("person", _NAME, nullable=False),
    Column("role", String(16), nullable=False),
    Column("key_id", String(16)),
    Column("rules", _HASH),
    Column("id_token_sealed", Text),
    Column("created_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Column("idle_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column("ended_by", _NAME),
    ForeignKeyConstraint(["tenant"], ["tenants.name"]),
    ForeignKeyConstraint(["key_id"], ["api_keys.id"]),
    Index(None, "expires_ms"),
    Index(None, "person"),
)

session_grants = Table(
    "session_grants",
    metadata,
    Column("session", _NAME, primary_key=True),
    Column("tenant", _NAME, primary_key=True),
    Column("role", String(16), primary_key=True),
    ForeignKeyConstraint(["session"], ["sessions.id"]),
    Index(None, "tenant"),
)

login_codes = Table(
    "login_codes",
    metadata,
    Column("code_sha256", _HASH, primary_key=True),
    Column("session", _NAME, nullable=False),
    Column("tenant", _NAME, nullable=False),
    Column("person", _NAME, nullable=False),
    Column("role", String(16), nullable=False),
    Column("challenge", String(64), nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    ForeignKeyConstraint(["session"], ["sessions.id"]),
    Index(None, "session"),
)

privacy_settings = Table(
    "privacy_settings",
    metadata,
    Column("tenant", _NAME, primary_key=True),
    Column("document", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    ForeignKeyConstraint(["tenant"], ["tenants.name"]),
)

tenant_secrets = Table(
    "tenant_secrets",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", _NAME, nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("sealed", Text, nullable=False),
    Column("created_by", _NAME, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("retired_ms", BigInteger),
    ForeignKeyConstraint(["tenant"], ["tenants.name"]),
    Index(None, "tenant"),
)

gateway_keys = Table(
    "gateway_keys",
    metadata,
    Column("tenant", _NAME, primary_key=True),
    Column("id", String(16), primary_key=True),
    Column("name", _NAME, nullable=False),
    Column("public", String(64), nullable=False),
    Column("created_by", _NAME, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger),
    ForeignKeyConstraint(["tenant"], ["tenants.name"]),
)

gateway_nonces = Table(
    "gateway_nonces",
    metadata,
    Column("tenant", _NAME, primary_key=True),
    Column("key_id", String(16), primary_key=True),
    Column("nonce", _NAME, primary_key=True),
    Column("until_ms", BigInteger, nullable=False),
    Index(None, "until_ms"),
)
"""Nonces of signed bodies; ``until_ms``: from then on the body is too old in any case."""
