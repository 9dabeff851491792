"""The check: what was asked before a call, and what the policies would have said. It stands on ``spend.checks``."""

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

from spendgate.model.decision import Reason, Verdict
from spendgate.model.event import Cost, Count
from spendgate.model.text import Name

CHECK_PREFIX = "chk-"
"""What the id of every check begins with; no decision's does."""

CheckFault = Literal["slow", "store_away", "behind", "unknown_policy", "fault"]
"""Why a check was answered without its verdict: it took too long, Redis or the policy store is away, the counters are
not of the mark, a staging's document is not in the policy store, something else."""


class Check(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """One check. ``would_be`` is absent where there was a ``fault``.

    ``allow``: false where an enforced staging blocked the call, as ``blocked`` says; ``enforced``: the stagings that
    were enforced for it. In shadow it is always true. ``applied``: the offset up to which the counters were true that
    it was judged by; sums in ``reasons`` are those.
    """

    check_id: Name
    tenant: Name
    time: datetime
    asked_by: Name
    team: Name | None = None
    employee: Name | None = None
    customer: Name | None = None
    project: Name | None = None
    workflow: Name | None = None
    agent: Name | None = None
    vendor: Name | None = None
    model: Name | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    estimate_nano_usd: Cost | None = None
    allow: bool = True
    blocked: Literal["deny", "review"] | None = None
    enforced: tuple[Name, ...] = ()
    would_be: Verdict | None = None
    applied: int | None = None
    reasons: tuple[Reason, ...] = ()
    fault: CheckFault | None = None
    took_us: int = 0


encode_check = msgspec.json.Encoder().encode
"""A check as one message."""
