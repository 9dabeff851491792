"""What the management API carries of reconciliations, gates, certificates and flags. Times are UTC."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from gateway_shadow.documents import Name, Words, instant
from policy_store.asked_rounds import AskedRound
from policy_store.certificates import Kept
from policy_store.enforcement import Ended
from policy_store.flags import Enforced, Flag, FlagView, Level
from policy_store.flip_requests import Request, State
from policy_store.gates import Looked, Rules
from policy_store.reconciliations import Recorded
from policy_store.waivers import Waiver
from spendgate.engine.calls import EPOCH
from spendgate.model.enforcement import MAX_OWNERS, Share, share_words
from spendgate.model.policy_types import ScopeField
from spendgate.model.text import NONE
from spendgate.reconcile.certificate import Problem
from spendgate.reconcile.gate import GateCriterion
from spendgate.reconcile.gate_rules import GateRules

SHADOW_ONLY = "Shadow only: nothing is blocked."


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ShareDocument(_Document):
    """For which calls: a percentage of the values of a field, or the values that are listed."""

    by: ScopeField
    percent: Annotated[int, Field(ge=0, le=100, strict=True)] | None = None
    owners: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=128, pattern=rf"^([!-~]+|\{NONE[:-1]}\))$")]],
        Field(min_length=1, max_length=MAX_OWNERS),
    ] | None = None  # fmt: skip

    @model_validator(mode="after")
    def _is_a_share(self) -> Self:
        self.share()
        return self

    def share(self) -> Share:
        """The same, as an activation has it. Raises ValueError."""
        return Share(by=self.by, percent=self.percent, owners=tuple(self.owners or ()))

    @classmethod
    def of(cls, share: Share | None) -> Self | None:
        """The answer for a share."""
        return None if share is None else cls(by=share.by, percent=share.percent, owners=list(share.owners) or None)


class Flip(_Document):
    """Which flag is to be turned on; a staging's own for all calls, or for a share."""

    level: Level
    staging: Name | None = None
    share: ShareDocument | None = None
    why: Words

    @model_validator(mode="after")
    def _names_its_subject(self) -> Self:
        if (self.staging is not None) != (self.level == "policy"):
            raise ValueError("expected a staging with the level policy, and with no other")
        if self.share is not None and self.level != "policy":
            raise ValueError("expected a share with the level policy alone")
        return self


class Off(_Document):
    """Which flag is to be turned off, and what is beneath it."""

    level: Level
    staging: Name | None = None
    why: Words

    @model_validator(mode="after")
    def _names_its_subject(self) -> Self:
        if (self.staging is not None) != (self.level == "policy"):
            raise ValueError("expected a staging with the level policy, and with no other")
        return self


class NewRules(_Document):
    """All criteria of the gate."""

    rules: GateRules
    why: Words


class NewWaiver(_Document):
    """Which criterion does not count for a staging, and why."""

    criterion: Literal["bill", "answers"]
    why: Words


class NewRound(_Document):
    """Of which part of the log, by the broker's time: all of it where nothing is said, as the agent's own rounds."""

    from_: Annotated[AwareDatetime | None, Field(alias="from")] = None
    to: AwareDatetime | None = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.from_ is not None and self.to is not None and self.to <= self.from_:
            raise ValueError("expected `to` after `from`")
        return self

    def interval_ms(self) -> tuple[int | None, int | None]:
        """From when to when, ms; half open."""
        return _ms(self.from_), _ms(self.to)


class AskedRoundDocument(BaseModel):
    """A round that somebody asked for: ``waiting``, ``running``, ``done`` (``reconciliation`` is its result) or
    ``failed`` (``problem`` says why)."""

    id: str
    staging: str
    state: str
    from_: datetime | None = Field(serialization_alias="from")
    to: datetime | None
    asked_by: str
    asked_at: datetime | None
    done_at: datetime | None
    reconciliation: str | None
    problem: str | None

    @classmethod
    def of(cls, found: AskedRound) -> Self:
        """The answer for one."""
        return cls(
            **_same(cls, found), from_=instant(found.from_ms), to=instant(found.to_ms),
            asked_at=instant(found.asked_ms), done_at=instant(found.done_ms),
        )  # fmt: skip


def _ms(at: datetime | None) -> int | None:
    return None if at is None else (at - EPOCH) // timedelta(milliseconds=1)


class RecordedDocument(BaseModel):
    """A reconciliation. ``gate``: what the staging's gate was with it. ``from``, ``to``: what was observed."""

    id: str
    number: int
    policy: str
    staging: str
    on_demand: bool
    outcome: str
    gate: str
    from_: datetime | None = Field(serialization_alias="from")
    to: datetime | None
    replayed: int
    differing: int
    sha256: str
    recorded_by: str
    recorded_at: datetime | None

    @classmethod
    def of(cls, found: Recorded) -> Self:
        """The answer for a result."""
        return cls(
            **_same(cls, found), from_=instant(found.from_ms), to=instant(found.to_ms),
            recorded_at=instant(found.recorded_ms),
        )  # fmt: skip


class RecordedPage(BaseModel):
    """A page of the history, the latest first; ``next``: what to ask for as ``before``, absent on the last page."""

    reconciliations: list[RecordedDocument]
    next: int | None


class WholeReconciliation(BaseModel):
    """A reconciliation, and all of its result as it stands on the topic."""

    about: RecordedDocument
    result: Any

    @classmethod
    def of(cls, found: Recorded, document: bytes) -> Self:
        """The answer for a result and its document."""
        return cls(about=RecordedDocument.of(found), result=json.loads(document))


class CriterionDocument(BaseModel):
    """One criterion: met where ``measured`` is at ``most`` or at ``least`` the ``threshold``, ``distance`` away."""

    name: str
    outcome: str
    words: str
    unit: str
    bound: str
    threshold: int
    measured: int | None
    distance: int
    sample: int | None
    at_most_ppb: int | None
    waiver: str | None

    @classmethod
    def of(cls, found: GateCriterion) -> Self:
        """The answer for a criterion."""
        return cls(**{name: getattr(found, name) for name in cls.model_fields})


class GateDocument(BaseModel):
    """A staging's gate now. ``round``: the reconciliation that it goes by. Before ``ready_at_earliest`` it cannot be
    ready, whatever happens."""

    policy: str
    staging: str
    hash: str
    state: str
    criteria: list[CriterionDocument]
    missing: list[str]
    ready_at_earliest: datetime | None
    round: str | None
    round_at: datetime | None

    @classmethod
    def of(cls, looked: Looked) -> Self:
        """The answer for a gate."""
        gate, subject = looked.gate, looked.subject
        return cls(
            policy=subject.policy.metadata.name, staging=subject.staging, hash=subject.hash, state=gate.state,
            criteria=[CriterionDocument.of(each) for each in gate.criteria], missing=list(gate.missing),
            ready_at_earliest=instant(gate.ready_at_earliest_ms), round=gate.round.id if gate.round else None,
            round_at=instant(gate.round.recorded_ms) if gate.round else None,
        )  # fmt: skip


class RulesDocument(BaseModel):
    """A tenant's criteria; revision 0: the defaults."""

    revision: int
    rules: GateRules
    changed_by: str | None
    changed_at: datetime | None

    @classmethod
    def of(cls, found: Rules) -> Self:
        """The answer for criteria."""
        return cls(
            revision=found.revision, rules=found.rules, changed_by=found.changed_by,
            changed_at=instant(found.changed_ms),
        )  # fmt: skip


class WaiverDocument(BaseModel):
    """A waiver; it counts until it has ended."""

    id: str
    staging: str
    criterion: str
    why: str
    made_by: str
    made_at: datetime | None
    ended_by: str | None
    ended_at: datetime | None

    @classmethod
    def of(cls, found: Waiver) -> Self:
        """The answer for a waiver."""
        return cls(**_same(cls, found), made_at=instant(found.made_ms), ended_at=instant(found.ended_ms))


class CertificateDocument(BaseModel):
    """A certificate. ``holds``: whether it does now, for the staging as it is; ``refused``: by which name it is not,
    ``why`` in words. ``text``: the certificate itself, to the byte."""

    id: str
    staging: str
    reconciliation: str
    issued_at: datetime | None
    expires_at: datetime | None
    holds: bool
    refused: str | None
    why: str | None
    text: str

    @classmethod
    def of(cls, found: Kept, problem: Problem | None) -> Self:
        """The answer for a certificate."""
        return cls(
            **_same(cls, found), issued_at=instant(found.issued_ms), expires_at=instant(found.expires_ms),
            holds=problem is None, refused=None if problem is None else problem.code,
            why=None if problem is None else problem.words, text=found.document.decode(),
        )  # fmt: skip


class RequestDocument(BaseModel):
    """A request to turn a flag on. ``subject``: the staging, the tenant, or ``(all)``."""

    id: str
    level: Level
    subject: str
    share: ShareDocument | None
    why: str
    state: State
    asked_by: str
    asked_at: datetime | None
    expires_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None

    @classmethod
    def of(cls, found: Request) -> Self:
        """The answer for a request."""
        return cls(
            **{**_same(cls, found), "share": ShareDocument.of(found.share)}, asked_at=instant(found.asked_ms),
            expires_at=instant(found.expires_ms), decided_at=instant(found.decided_ms),
        )  # fmt: skip


class FlagDocument(BaseModel):
    """A flag as it is now."""

    level: Level
    subject: str
    on: bool
    revision: int
    share: ShareDocument | None
    certificate: str | None
    asked_by: str | None
    changed_by: str | None
    changed_at: datetime | None
    why: str | None

    @classmethod
    def of(cls, found: Flag) -> Self:
        """The answer for a flag."""
        return cls(
            **{**_same(cls, found), "share": ShareDocument.of(found.share)}, on=found.is_on,
            changed_at=instant(found.changed_ms),
        )  # fmt: skip


class EndedDocument(BaseModel):
    """What turning off came to: flags that were on, and the stagings that are back in shadow."""

    flags: list[FlagDocument]
    demoted: list[str]

    @classmethod
    def of(cls, found: Ended) -> Self:
        """The answer for an end."""
        return cls(flags=[FlagDocument.of(each) for each in found.flags], demoted=[each.id for each in found.demoted])


class EnforcedDocument(BaseModel):
    """A staging that is enforced, since when, by whom, on which certificate."""

    policy: str
    staging: str
    hash: str
    share: ShareDocument | None
    certificate: str | None
    since: datetime | None
    asked_by: str | None
    confirmed_by: str
    words: str

    @classmethod
    def of(cls, found: Enforced) -> Self:
        """The answer for what is enforced."""
        return cls(
            **{**_same(cls, found), "share": ShareDocument.of(found.share), "certificate": found.certificate_id},
            since=instant(found.since_ms), words=_words(found),
        )  # fmt: skip


class Levels(BaseModel):
    """The two levels above the stagings."""

    everywhere: bool
    tenant: bool


class Status(BaseModel):
    """What is enforced now, in words and by staging. ``at``: when the store said so."""

    tenant: str
    at: datetime | None
    words: list[str]
    levels: Levels
    enforced: list[EnforcedDocument]
    requests: list[RequestDocument]

    @classmethod
    def of(cls, view: FlagView, tenant: str, waiting: Sequence[Request], now_ms: int) -> Self:
        """The answer for a tenant."""
        found = view.enforced(tenant)
        return cls(
            tenant=tenant, at=instant(now_ms), words=[_words(each) for each in found] or [SHADOW_ONLY],
            levels=Levels(everywhere=view.is_global_on, tenant=tenant in view.tenants_on),
            enforced=[EnforcedDocument.of(each) for each in found],
            requests=[RequestDocument.of(each) for each in waiting],
        )  # fmt: skip


def _words(found: Enforced) -> str:
    since = instant(found.since_ms)
    return (
        f"Enforced: {found.policy} ({found.staging}) for {share_words(found.share)}, since {since:%Y-%m-%d %H:%M:%S}Z, "
        f"asked for by {found.asked_by}, confirmed by {found.confirmed_by}, on certificate {found.certificate_id}."
    )


def _same(kind: type[BaseModel], found: NamedTuple) -> dict[str, Any]:
    """The fields of the same names."""
    return {name: getattr(found, name) for name in kind.model_fields.keys() & set(found._fields)}
