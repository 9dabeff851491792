"""The policy, as a person writes it: a pydantic model of the YAML or JSON document."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from spendgate.model.money import parse_usd
from spendgate.model.policy_types import (
    Always,
    Duration,
    EvidenceStatus,
    Globs,
    Percents,
    PerFields,
    PolicyName,
    Prose,
    Severity,
    TimeZone,
    Tokens,
    Usd,
    minutes_of,
)

MAX_RULES = 100
MAX_RESERVED_MINUTES = 60
CalendarUnit = Literal["hour", "day", "week", "month", "quarter", "year"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
OnExpiry = Literal["approve", "refuse"]
FailMode = Literal["open", "closed"]
WINDOW_KINDS = ("calendar", "rolling", "lifetime")


class Document(BaseModel):
    """A part of a policy: unknown fields are refused, nothing is coerced, nothing changes once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def given(self) -> set[str]:
        """The names of the fields that hold something; in Python, None is the same as absent."""
        return {name for name in type(self).model_fields if getattr(self, name) is not None}


class Selection(Document):
    """Lists of globs; fields AND, values of a field OR."""

    team: Globs | None = None
    employee: Globs | None = None
    customer: Globs | None = None
    project: Globs | None = None
    workflow: Globs | None = None
    agent: Globs | None = None
    model: Globs | None = None
    vendor: Globs | None = None


class Scope(Selection):
    """Which calls a policy looks at; ``exclude`` removes a call that matches any of its lists."""

    exclude: Selection | None = None


class CalendarWindow(Document):
    """``[start, end)`` of a calendar unit in an IANA time zone; ``week_starts`` belongs to a week alone."""

    calendar: CalendarUnit
    timezone: TimeZone = "UTC"
    week_starts: Weekday = "monday"

    @model_validator(mode="after")
    def _week_starts_in_weeks(self) -> Self:
        if self.calendar != "week" and self.week_starts != "monday":
            raise ValueError("expected week_starts only with calendar: week")
        return self


class RollingWindow(Document):
    """The last so many whole minutes, in 240 buckets: ``90m``, ``24h``, ``7d``."""

    rolling: Duration

    @property
    def minutes(self) -> int:
        """The length in whole minutes."""
        return minutes_of(self.rolling)


class LifetimeWindow(Document):
    """One window, from the first event on."""

    lifetime: Always


Window = CalendarWindow | RollingWindow | LifetimeWindow


def _window_kind(value: Any) -> str | None:
    """Which of the three a value is meant to be, by its keys; None where that cannot be told."""
    keys = value if isinstance(value, Mapping) else getattr(type(value), "model_fields", ())
    kinds = [kind for kind in WINDOW_KINDS if kind in keys]
    return kinds[0] if len(kinds) == 1 else None


OneWindow = Annotated[
    Annotated[CalendarWindow, Tag("calendar")]
    | Annotated[RollingWindow, Tag("rolling")]
    | Annotated[LifetimeWindow, Tag("lifetime")],
    Discriminator(
        _window_kind,
        custom_error_type="window_kind",
        custom_error_message="expected exactly one of calendar, rolling, lifetime",
    ),
]
"""A window as a field: told apart by its key, so that a fault in one is not reported three times."""


class Budget(Document):
    """A cap on what a counter may hold within a window. A cap of zero is legal: nothing may be spent."""

    cap_usd: Usd
    window: OneWindow
    per: PerFields = []
    warn_at_percent: Percents = []
    on_breach: Severity

    @property
    def cap_nano_usd(self) -> int:
        """The cap in nano-USD."""
        return parse_usd(self.cap_usd)


class NameLimit(Document):
    """Globs that are allowed, and globs that are denied; a denial wins."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    allow: Globs | None = None
    deny: Globs | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.given():
            raise ValueError("expected allow, deny or both")
        return self


BOUNDARY_LIMITS = ("models", "vendors", "max_cost_usd", "max_input_tokens", "max_output_tokens")


class Boundary(Document):
    """What a single call may be and cost; equal to a maximum is allowed."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": [name]} for name in BOUNDARY_LIMITS]})

    models: NameLimit | None = None
    vendors: NameLimit | None = None
    max_cost_usd: Usd | None = None
    max_input_tokens: Tokens | None = None
    max_output_tokens: Tokens | None = None
    on_breach: Severity

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.given().isdisjoint(BOUNDARY_LIMITS):
            raise ValueError(f"expected at least one of {', '.join(BOUNDARY_LIMITS)}")
        return self


class When(Document):
    """Conditions of a review, all of which must hold; ``*_over`` is strictly over."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    cost_usd_over: Usd | None = None
    input_tokens_over: Tokens | None = None
    output_tokens_over: Tokens | None = None
    models: Globs | None = None
    vendors: Globs | None = None
    evidence_status: Annotated[list[EvidenceStatus], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not self.given():
            raise ValueError(f"expected at least one of {', '.join(When.model_fields)}")
        return self


class Review(Document):
    """A call that a person should look at; ``expires`` is how long they have, ``on_expiry`` what silence then means."""

    when: When
    reviewers: PolicyName | None = None
    expires: Duration | None = None
    on_expiry: OnExpiry = "approve"


class Rule(Document):
    """Exactly one budget, boundary or review."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    budget: Budget | None = None
    boundary: Boundary | None = None
    review: Review | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self.given()) != 1:
            raise ValueError("expected exactly one of budget, boundary, review")
        return self


class Metadata(Document):
    """The policy's name, who answers for it, and what it is for."""

    name: PolicyName
    owner: PolicyName | None = None
    description: Prose | None = None


def _kept_for(duration: str) -> str:
    if minutes_of(duration) > MAX_RESERVED_MINUTES:
        raise ValueError("expected at most 1h")
    return duration


class Enforcement(Document):
    """How the policy behaves where it is enforced; in shadow nothing of it counts.

    ``fail_mode``: what a fault of ours means for a call, let through (``open``) or refused (``closed``). ``on_review``:
    whether a call that is to be reviewed may wait for the queue, or is refused. ``reserve_for``: how long a check keeps
    its estimate reserved for a call that does not report.
    """

    fail_mode: FailMode = "open"
    on_review: Literal["wait", "refuse"] = "wait"
    reserve_for: Annotated[Duration, AfterValidator(_kept_for)] = "10m"

    @property
    def reserve_for_ms(self) -> int:
        """``reserve_for`` in milliseconds."""
        return minutes_of(self.reserve_for) * 60_000


class Spec(Document):
    """What the policy says."""

    scope: Scope = Scope()
    rules: Annotated[list[Rule], Field(min_length=1, max_length=MAX_RULES)]
    on_unpriced: Severity = "review"
    enforcement: Enforcement = Enforcement()


class Policy(Document):
    """One policy document."""

    apiVersion: Literal["spendgate/v1"]  # noqa: N815 (the field's name in every Kubernetes-style document)
    kind: Literal["Policy"]
    metadata: Metadata
    spec: Spec
