"""What the management API carries of gates, their criteria, waivers and certificates. Times are UTC."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel

from gateway_shadow.documents import Body, Words, instant, same
from policy_store.certificates import Kept
from policy_store.gates import Looked, Rules
from policy_store.waivers import Waiver
from spendgate.reconcile.certificate import Problem
from spendgate.reconcile.gate import GateCriterion
from spendgate.reconcile.gate_rules import GateRules


class NewRules(Body):
    """All criteria of the gate."""

    rules: GateRules
    why: Words


class NewWaiver(Body):
    """Which criterion does not count for a staging, and why."""

    criterion: Literal["bill", "answers"]
    why: Words


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
        return cls(**same(cls, found), made_at=instant(found.made_ms), ended_at=instant(found.ended_ms))


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
            **same(cls, found), issued_at=instant(found.issued_ms), expires_at=instant(found.expires_ms),
            holds=problem is None, refused=None if problem is None else problem.code,
            why=None if problem is None else problem.words, text=found.document.decode(),
        )  # fmt: skip
