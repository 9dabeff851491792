"""The review, answered: what a person, or silence, made of a call that a policy wanted looked at. It stands on
``spend.reviews``. What the person wrote does not: notes stay in the policy store."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from spendgate.model.event import Cost, Time
from spendgate.model.text import Name

Outcome = Literal["approve", "refuse"]


class ReviewRecord(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """One answer. ``outcome`` is what it came to; nobody has answered where ``expired``, and then ``answered_by`` is
    absent and the outcome is the policy's ``on_expiry``. In shadow it informs, and moves no counter.

    ``check_id``: the check that the call settles. ``answered_with``: the review of that check, where its answer counts
    for the call and nobody was asked again. The review of a check has the check's id as ``event_id`` and
    ``decision_id``.
    """

    review_id: Name
    tenant: Name
    decision_id: Annotated[str, Meta(min_length=1, max_length=300)]
    source: Name
    event_id: Name
    event_time: Time
    policy: Name
    staging: Name
    stage: Name
    cost_nano_usd: Cost | None = None
    asked_at: Time
    answered_at: Time
    outcome: Outcome
    expired: bool = False
    answered_by: Annotated[str, Meta(min_length=1, max_length=300)] | None = None
    check_id: Name | None = None
    answered_with: Name | None = None


encode_review = msgspec.json.Encoder().encode
"""A review as one message."""
