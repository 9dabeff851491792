"""The event: one metered AI call or an annotation to one. Metadata only, by an allow-list at every depth."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from spendgate.model.money import MAX_COST_NANO_USD
from spendgate.model.text import Name

MAX_EVENTS_PER_MESSAGE = 500

Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Cost = Annotated[int, Meta(ge=0, le=MAX_COST_NANO_USD)]
Time = Annotated[datetime, Meta(tz=True)]

Kind = Literal["call", "outcome", "correction"]
CostSource = Literal["provided", "priced", "unpriced"]
Outcome = Literal["accepted", "rejected", "revised", "escalated", "failed", "pending_review", "unknown"]
EvidenceStatus = Literal["present", "missing", "failed", "not_applicable"]
PrivacyMode = Literal["metadata_only", "fingerprint_only", "redacted_trace", "private_gateway", "full_trace"]


class Event(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False):
    """One event as it stands on ``spend.events``. Identity is (tenant, source, id).

    Costs are nano-USD, tokens are counts, ``latency_ms`` is milliseconds, ``time`` is an aware instant.
    A call without ``cost_nano_usd`` is unpriced, whatever its ``cost_source`` says.
    """

    id: Name
    source: Name
    tenant: Name
    time: Time
    kind: Kind = "call"
    refers_to: Name | None = None

    team: Name | None = None
    employee: Name | None = None
    customer: Name | None = None
    project: Name | None = None
    feature: Name | None = None
    api_key_id: Name | None = None
    workflow: Name | None = None
    agent: Name | None = None
    task: Name | None = None

    vendor: Name | None = None
    model_requested: Name | None = None
    model: Name | None = None

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cached_input_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    reasoning_tokens: Count | None = None

    cost_nano_usd: Cost | None = None
    cost_source: CostSource | None = None
    estimate_nano_usd: Cost | None = None
    check_id: Name | None = None

    latency_ms: Count | None = None
    status: Name | None = None
    cache_hit: bool | None = None

    outcome: Outcome | None = None
    evidence_status: EvidenceStatus | None = None
    evidence_id: Name | None = None

    privacy_mode: PrivacyMode | None = None
    prompt_fingerprint: Name | None = None
    response_fingerprint: Name | None = None


OWNER_FIELDS = ("team", "employee", "customer", "feature", "workflow", "api_key_id")
"""The six of attribution status: how many of them are known."""

SCOPE_FIELDS = ("team", "employee", "customer", "project", "workflow", "agent", "model", "vendor")
"""What a policy's scope and a budget's ``per`` can name."""

encode_events = msgspec.json.Encoder().encode
