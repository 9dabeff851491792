"""What the management API carries of rounds of reconciliation. Times are UTC."""

import json
from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, model_validator

from gateway_shadow.documents import Body, Instant, instant, same
from policy_store.asked_rounds import AskedRound
from policy_store.reconciliations import Recorded
from spendgate.engine.calls import EPOCH


class NewRound(Body):
    """Of which part of the log, by the broker's time: all of it where nothing is said, as the agent's own rounds."""

    from_: Annotated[Instant | None, Field(alias="from")] = None
    to: Instant | None = None

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
            **same(cls, found), from_=instant(found.from_ms), to=instant(found.to_ms),
            asked_at=instant(found.asked_ms), done_at=instant(found.done_ms),
        )  # fmt: skip


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
            **same(cls, found), from_=instant(found.from_ms), to=instant(found.to_ms),
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


def _ms(at: datetime | None) -> int | None:
    return None if at is None else (at - EPOCH) // timedelta(milliseconds=1)
