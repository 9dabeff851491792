"""What alerts and their targets carry over HTTP."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from gateway_shadow import time_cursors
from gateway_shadow.alerting.addresses import MAX_URL_CHARS
from gateway_shadow.documents import instant, same
from policy_store.alert_deliveries import Delivery, State
from policy_store.alert_targets import Target, TargetKind
from policy_store.alerts import After, Alert
from spendgate.model.alert import AlertKind
from spendgate.model.decision import Verdict
from spendgate.model.policy_types import Glob, Percent

Url = Annotated[
    str,
    Field(
        min_length=1, max_length=MAX_URL_CHARS, pattern=r"^[!-~]+$",
        description="`https://`. It is a secret, too: only its origin is told again.",
        examples=["https://example.com/alerts"],
    ),
]  # fmt: skip
TargetName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Policies = Annotated[list[Glob], Field(max_length=100, description="Globs of policy names; without one, every policy.")]
Kinds = Annotated[list[AlertKind], Field(max_length=10, description="Without one, every kind, also those to come.")]
FromPercent = Annotated[Percent, Field(description="The least threshold that is wanted; a cap always is.")]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewTarget(_Request):
    """Where alerts are to go: a webhook, whose messages are signed, or a channel in Slack's format."""

    name: TargetName
    kind: TargetKind
    url: Url
    policies: Policies = []
    kinds: Kinds = []
    from_percent: FromPercent = 1


class TargetEdit(_Request):
    """What is to be another; what is left out stays as it is."""

    url: Url | None = None
    policies: Policies | None = None
    kinds: Kinds | None = None
    from_percent: FromPercent | None = None
    enabled: bool | None = None


class SecretRotation(_Request):
    """For how long messages are signed with the old secret, too."""

    overlap_s: Annotated[int, Field(ge=0, le=30 * 86400)] = 86400


class TargetDocument(BaseModel):
    """A target. ``origin``: of its address. ``failures``: attempts in a row that it did not answer; until
    ``paused_until`` it is not tried. ``signed_with_both_until``: the end of the overlap of two secrets."""

    name: str
    kind: TargetKind
    origin: str
    policies: list[str]
    kinds: list[str]
    from_percent: int
    enabled: bool
    revision: int
    failures: int
    paused_until: datetime | None
    signed_with_both_until: datetime | None
    created_by: str
    created_at: datetime | None

    @classmethod
    def of(cls, found: Target, now_ms: int) -> Self:
        """The answer for a target."""
        return cls(
            name=found.name, kind=found.kind, origin=found.origin, policies=found.policies.split(),
            kinds=found.kinds.split(), from_percent=found.from_percent, enabled=found.enabled, revision=found.revision,
            failures=found.failures, paused_until=_to_come(found.paused_until_ms, now_ms),
            signed_with_both_until=_to_come(found.previous_until_ms, now_ms), created_by=found.created_by,
            created_at=instant(found.created_ms),
        )  # fmt: skip


class ShownTarget(BaseModel):
    """A target, and the secret that its messages are signed with, which is shown this once; a channel in Slack's format
    has none."""

    secret: str | None
    about: TargetDocument


class Trial(BaseModel):
    """What came of a test. ``status``: what the target has answered; ``problem``: why it was not taken."""

    delivered: bool
    status: int | None
    problem: str | None
    took_ms: int


class DeliveryDocument(BaseModel):
    """An alert on its way to one target. ``status``: what it has answered last; ``dead``: given up after a day, or
    because the target is gone."""

    target: str
    state: State
    attempts: int
    next_at: datetime | None
    ended_at: datetime | None
    status: int | None
    problem: str | None

    @classmethod
    def of(cls, found: Delivery) -> Self:
        """The answer for a delivery."""
        return cls(
            target=found.target_name, state=found.state, attempts=found.attempts, next_at=instant(found.next_ms),
            ended_at=instant(found.ended_ms), status=found.status, problem=found.problem,
        )  # fmt: skip


class AlertDocument(BaseModel):
    """An alert, and what became of it. Sums are nano-USD, those just before the call."""

    id: str
    kind: AlertKind
    policy: str
    staging: str
    stage: str
    words: str
    at: datetime | None
    rule: int | None
    counter: str | None
    threshold_percent: int | None
    verdict: Verdict | None
    window_start: datetime | None
    window_end: datetime | None
    limit_nano_usd: int | None
    used_before_nano_usd: int | None
    cost_nano_usd: int | None
    source: str | None
    event_id: str | None
    event_time: datetime | None
    decision_id: str | None
    deliveries: list[DeliveryDocument]

    @classmethod
    def of(cls, found: Alert, deliveries: list[Delivery]) -> Self:
        """The answer for an alert."""
        return cls(
            **same(cls, found), at=instant(found.at_ms), window_start=instant(found.window_start_ms),
            window_end=instant(found.window_end_ms), event_time=instant(found.event_ms),
            deliveries=[DeliveryDocument.of(each) for each in deliveries],
        )  # fmt: skip


class AlertPage(BaseModel):
    """A page of the history, the latest first; ``next``: the cursor of the page after it, absent on the last."""

    alerts: list[AlertDocument]
    next: str | None


def next_after(alert: Alert) -> str:
    """The cursor of a page that ends with this one."""
    return time_cursors.cursor_of(alert.at_ms, alert.id)


def after_of(cursor: str | None) -> After | None:
    """The place that a cursor names. Raises Problem 422."""
    return None if cursor is None else After(*time_cursors.place_of(cursor, "alr-"))


def _to_come(at_ms: int | None, now_ms: int) -> datetime | None:
    return instant(at_ms) if at_ms is not None and at_ms > now_ms else None
