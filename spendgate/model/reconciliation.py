"""The reconciliation: what shadow said against a replay of the ledger, with every criterion and all evidence.

It stands on ``spend.reconciliations``, and a certificate binds it by its digest. The same inputs give the same bytes:
nothing in it depends on when or where it was made. Money is nano-USD, time an aware UTC instant, a rate is stated in
parts per billion beside its sample.
"""

from hashlib import sha256
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from spendgate.model.activation import PolicyHash, Stage
from spendgate.model.decision import Position, Verdict
from spendgate.model.event import Time
from spendgate.model.reconciliation_parts import BillResult, CountersResult, EstimateResult, Lag, LedgerResult
from spendgate.model.text import Name

Outcome = Literal["pass", "fail", "inconclusive"]
Kind = Literal["missing", "extra", "duplicate_differs", "mismatched"]
Cause = Literal[
    "evaluator_changed", "activation_skew", "corrected", "repriced", "late", "clock_skew", "window_edge",
    "counter_lost", "counter_altered", "duplicate", "rejected", "not_in_ledger", "not_yet_judged", "altered_decision",
    "unexplained",
]  # fmt: skip
CriterionName = Literal[
    "differences", "unexplained", "coverage", "offsets", "counters", "lag", "bill", "events", "hours", "windows",
    "near_cap", "answers",
]  # fmt: skip
WAIVABLE: frozenset[CriterionName] = frozenset({"offsets", "counters", "lag", "bill", "near_cap", "answers", "windows"})
"""What may be waived: what was not looked at, or cannot be. What was found wrong in decisions and ledger cannot."""

Count = Annotated[int, Meta(ge=0)]


class Criterion(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """One criterion. It is met where ``measured`` is at ``most`` or at ``least`` the ``threshold``; ``distance`` says
    how far it is from that, 0 where it is met. ``measured`` is absent where nobody looked.

    ``sample``: of how many the measured is a part, and ``at_most_ppb`` the 95 % bound of that rate. ``waiver``: why it
    does not count; its own outcome stays what it is.
    """

    name: CriterionName
    outcome: Outcome
    unit: str
    bound: Literal["most", "least"]
    threshold: int
    distance: Count
    measured: int | None = None
    sample: Count | None = None
    at_most_ppb: Count | None = None
    waiver: str | None = None
    words: str


class Thresholds(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What is asked for. ``near_cap_percent``: a call counts as near a cap if it leaves at most so much of it, or
    breaks it. ``long_window_days``: so much of a lifetime, or of a window that is longer, is enough and is told as
    partial. ``lag_ms``: within which 99 of 100 decisions are made, and after which a call should have one. A bucket
    of a bill may differ by the larger of ``bill_ppm`` of it (parts per million) and ``bill_nano_usd``."""

    events: Annotated[int, Meta(ge=1, le=10**9)] = 1_000
    hours: Annotated[int, Meta(ge=1, le=8_784)] = 24
    near_cap: Annotated[int, Meta(ge=0, le=10**9)] = 1
    near_cap_percent: Annotated[int, Meta(ge=1, le=100)] = 20
    long_window_days: Annotated[int, Meta(ge=1, le=366)] = 30
    lag_ms: Annotated[int, Meta(ge=1, le=86_400_000)] = 60_000
    bill_ppm: Annotated[int, Meta(ge=0, le=100_000)] = 5_000
    bill_nano_usd: Annotated[int, Meta(ge=0, le=10**12)] = 10_000_000


class Example(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """One call of a difference. ``replayed`` is absent for an extra decision, ``shadow`` for a missing one."""

    position: Position
    source: str
    event_id: str
    words: str
    replayed: Verdict | None = None
    shadow: Verdict | None = None


class Differences(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """All differences of one kind and cause, with the first ones as examples. ``stagings``: those that they touch."""

    kind: Kind
    cause: Cause
    calls: Count
    stagings: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()


class Calls(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """What was compared: ``replayed`` calls owe a decision; ``repeated`` decisions were published again, unchanged.
    ``differing_at_most_ppb``: the 95 % bound of the rate at which calls differ; absent without any call."""

    replayed: Count
    matched: Count
    repeated: Count
    differing_at_most_ppb: Count | None = None


class StagingSeen(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """A staging that was in force in the interval. ``position``: of its activation; ``stage``: at the end.
    ``ended_at`` is absent while it lasts."""

    staging: Name
    policy: Name
    hash: PolicyHash
    stage: Stage
    position: Position
    begun_at: Time
    ended_at: Time | None = None


class WindowSeen(
    Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True, rename={"from_": "from"}
):
    """The stretch of a budget that has to be proven: its last full window, or ``long_window_days`` of a longer one,
    which is ``partial``. ``observed``: whether the interval holds all of it; ``calls``: at which the policy looked."""

    staging: Name
    policy: Name
    rule: Count
    window: str
    observed: bool
    calls: Count
    partial: bool = False
    from_: Time
    to: Time


class Interval(
    Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True, rename={"from_": "from"}
):
    """Half open, by the broker's time; an absent side is unbounded, or nothing was observed."""

    from_: Time | None = None
    to: Time | None = None


class SourceRead(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A topic partition that was replayed: offsets ``first`` to ``last`` are covered by the ledger, and ``decided`` is
    the last one that a decision of the tenant stands for; -1 for none."""

    topic: str
    topic_id: str
    partition: Count
    first: int
    last: int
    decided: int


class Reconciliation(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """One reconciliation of a tenant's policy, or of a staging, or of all that the tenant has.

    ``outcome`` is the worst of the criteria that are not waived: a fault before what is not known. ``settings``: the
    tenant's, at the end of the interval. ``price_book_hash``: of the book by which the door priced, if that was told.
    ``bill``, ``counters``, ``estimates`` are absent where nobody asked for them; their criteria are there all the same.
    ``shortened``: not all examples, cells, buckets or estimates are listed, for one message would not hold them.
    """

    tenant: Name
    policy: Name | None = None
    staging: Name | None = None
    outcome: Outcome
    criteria: tuple[Criterion, ...]
    thresholds: Thresholds
    asked: Interval
    observed: Interval
    calls: Calls
    differences: tuple[Differences, ...] = ()
    stagings: tuple[StagingSeen, ...] = ()
    windows: tuple[WindowSeen, ...] = ()
    sources: tuple[SourceRead, ...] = ()
    ledger: LedgerResult
    lag: Lag | None = None
    counters: CountersResult | None = None
    bill: BillResult | None = None
    estimates: tuple[EstimateResult, ...] | None = None
    settings: dict[str, int | str]
    engine_version: str
    engine_versions: tuple[str, ...] = ()
    """Those that decisions name, sorted."""
    ledger_versions: dict[str, int]
    price_book_hash: str | None = None
    shortened: bool = False

    def criterion(self, name: CriterionName) -> Criterion | None:
        """The criterion of that name; None where it does not apply, such as ``near_cap`` without a budget."""
        return next((each for each in self.criteria if each.name == name), None)


encode_reconciliation = msgspec.json.Encoder(order="sorted").encode
"""A reconciliation as one message: equal ones give equal bytes."""

decode_reconciliation = msgspec.json.Decoder(Reconciliation).decode


def digest_of(reconciliation: Reconciliation) -> str:
    """The SHA-256 of its message, 64 lower-case hex digits: what a certificate binds."""
    return sha256(encode_reconciliation(reconciliation)).hexdigest()
