"""The cases that a policy file carries beside its policy: calls, and the verdict expected of each.

They are read with the policy and are no part of it: its canonical form and hash do not know them, so a case more
is no new version. ``PolicyFile`` is what one document of a file holds; ``spendgate.simulate.cases`` runs the cases.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from spendgate.model.decision import Code
from spendgate.model.money import MAX_COST_NANO_USD, parse_usd
from spendgate.model.policy import Document, Metadata, Policy, Spec
from spendgate.model.policy_types import EvidenceStatus, PolicyName, Prose, Tokens, Usd

MAX_CASES = 1000
MAX_CASE_EVENTS = 1000
_DATE, _CLOCK, _OFFSET = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?",
    r"[+-][0-9]{2}:[0-9]{2}",
)
INSTANT_PATTERN = f"^{_DATE}T{_CLOCK}(Z|{_OFFSET})$"
_INSTANT = re.compile(INSTANT_PATTERN, re.ASCII)
_EARLIEST, _LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
Expected = Literal["approve", "warn", "review", "deny", "out_of_scope", "duplicate"]
"""A verdict of a call that the policy looks at; that it does not look; or that the call is a repeat."""


def instant_of(text: str) -> datetime:
    """The aware instant of an RFC 3339 time; raises ValueError for anything else, and beyond 1970 to 2200."""
    found = _read_instant(text) if _INSTANT.fullmatch(text) else None
    if found is None or not _EARLIEST <= found < _LATEST:
        raise ValueError("expected a time with its UTC offset, such as 2026-03-01T09:00:00Z")
    return found.astimezone(UTC)


def _read_instant(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # a day or an hour that there is not
        return None


def _instant(text: str) -> str:
    instant_of(text)
    return text


def _cost(text: str) -> str:
    if parse_usd(text) > MAX_COST_NANO_USD:
        raise ValueError("expected less than 2^53 nano-USD (about 9 million dollars)")
    return text


Instant = Annotated[str, AfterValidator(_instant), Field(json_schema_extra={"pattern": INSTANT_PATTERN})]
"""An RFC 3339 time with its UTC offset."""
CostUsd = Annotated[Usd, AfterValidator(_cost)]


class CaseCall(Document):
    """The fields of a call that a case can state; a call without ``cost_usd`` is unpriced, as it is in the log."""

    source: PolicyName | None = None
    tenant: PolicyName | None = None
    team: PolicyName | None = None
    employee: PolicyName | None = None
    customer: PolicyName | None = None
    project: PolicyName | None = None
    workflow: PolicyName | None = None
    agent: PolicyName | None = None
    model: PolicyName | None = None
    vendor: PolicyName | None = None
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    evidence_status: EvidenceStatus | None = None
    cost_usd: CostUsd | None = None


class CaseReason(Document):
    """What a reason of the decision must say; what is absent is not looked at.

    It is the reason of ``rule`` (counted from 0), and without ``rule`` the first with the verdict of the call that
    has such fields at all.
    """

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    rule: Annotated[int, Field(ge=0, strict=True)] | None = None
    code: Code | None = None
    counter: Prose | None = None
    limit_usd: Usd | None = None
    used_before_usd: Usd | None = None
    recorded_before_usd: Usd | None = None
    remaining_usd: Usd | None = None
    overage_usd: Usd | None = None
    window_start: Instant | None = None
    window_end: Instant | None = None
    reset_at: Instant | None = None


class CaseEvent(CaseCall):
    """One call of a case and what is expected of it.

    ``id`` is by default ``event-1``, ``event-2`` and so on; ``time`` a minute after the event before (the first is
    on Monday 2026-01-05 12:00 UTC); ``received_at``, the broker's time, is the ``time``.
    """

    id: PolicyName | None = None
    time: Instant | None = None
    received_at: Instant | None = None
    expect: Expected
    because: CaseReason | None = None


class PolicyCase(Document):
    """A short log, judged from empty counters; ``defaults`` stand for what an event does not say itself."""

    name: Annotated[Prose, Field(min_length=1)]
    defaults: CaseCall = CaseCall()
    events: Annotated[list[CaseEvent], Field(min_length=1, max_length=MAX_CASE_EVENTS)]


class PolicyFile(Document):
    """One document of a policy file: the policy, and the cases that it must pass."""

    model_config = ConfigDict(title="Policy")

    apiVersion: Literal["spendgate/v1"]  # noqa: N815 (the field's name in every Kubernetes-style document)
    kind: Literal["Policy"]
    metadata: Metadata
    spec: Spec
    tests: Annotated[tuple[PolicyCase, ...], Field(max_length=MAX_CASES)] = ()

    @property
    def policy(self) -> Policy:
        """The policy alone, which is what has a hash."""
        return Policy(apiVersion=self.apiVersion, kind=self.kind, metadata=self.metadata, spec=self.spec)
