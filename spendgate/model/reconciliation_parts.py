"""Parts of a reconciliation that stand for themselves: counters, the vendor's bill, lag, coverage, estimates."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from spendgate.model.event import Time

Count = Annotated[int, Meta(ge=0)]


class CellDiffers(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """A sum in Redis that is not what the log leaves. ``window``: its start in ms, the number of a rolling block, or 0
    for a lifetime, as the slot's name has it; ``field``: the sum (``a`` admitted, ``r`` recorded, ``A`` and ``R`` the
    totals of a block) and its bucket; ``key``: the counter's. What was found is absent where it is no integer."""

    tenant: str
    staging: str
    rule: int
    window: int
    field: str
    key: str
    expected_nano_usd: int
    found_nano_usd: int | None = None
    policy: str | None = None
    window_start: Time | None = None
    window_end: Time | None = None


class CountersPart(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """One partition: Redis against a replay of the log up to ``mark``, which is that of the last page read.

    ``slots``, ``cells``, ``identities``: how many were compared; ``unread``: slots in Redis that no verdict reads, any
    more or yet. ``error_nano_usd``, ``admitted_error_nano_usd``: by how much recorded and admitted sums are off
    together. ``differing``: the worst cells, not all where they are very many; ``documents``: tenants with the fields
    of their document that differ. ``problem``: why it could not be compared.
    """

    partition: Count
    topic_id: str
    mark: int
    slots: Count = 0
    cells: Count = 0
    identities: Count = 0
    unread: Count = 0
    differing_cells: Count = 0
    differing_identities: Count = 0
    differing_documents: Count = 0
    error_nano_usd: Count = 0
    admitted_error_nano_usd: Count = 0
    differing: tuple[CellDiffers, ...] = ()
    documents: tuple[str, ...] = ()
    problem: str | None = None


class CountersResult(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """Redis against the replay, of one tenant or of all. ``equal``: every cell, identity and document is, in every
    partition that was asked for."""

    equal: bool
    tenant: str | None = None
    partitions: tuple[CountersPart, ...]


class Bucket(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """One bucket of a bill: a vendor's model on a day of the billing calendar; without vendor and model, what could not
    be attributed on that day. ``tolerance_nano_usd``: by how much the two may differ. ``unpriced``: calls among
    ``calls`` whose cost is not known."""

    day: str
    vendor: str | None = None
    model: str | None = None
    billed_nano_usd: int
    ledger_nano_usd: int
    tolerance_nano_usd: Count
    lines: Count = 0
    calls: Count = 0
    unpriced: Count = 0


WhyAside = Literal[
    "duplicate", "future", "negative_counted", "no_usage", "other_account", "other_calendar", "outside", "unreadable",
]  # fmt: skip
"""Why a line is not simply in a bucket: the line was there before; it is of a time after the ledger's end; its cost is
below zero, and it is counted in its bucket; it is a credit, a refund, a tax, a purchase; it is of somebody else's
account; its period is no day of the billing calendar; the ledger does not have its day in full; it cannot be read."""


class SetAside(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """Lines of a bill that are not simply in a bucket, their money together, and the first of them by number."""

    why: WhyAside
    count: Count
    nano_usd: int
    lines: tuple[int, ...] = ()


class BillResult(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """A bill against the ledger, the worst ``buckets`` first, not all where they are very many.

    ``final``: whoever gave the bill said that its vendor will not change it. ``whole``: every line that should be
    compared could be. ``file_hash``: SHA-256 of the file. ``calendar``: ``day in UTC``. ``first_day`` and ``last_day``
    are absent where nothing could be compared. ``other_vendors_nano_usd``: what the ledger has on these days of vendors
    that the bill does not name.
    """

    file_hash: str
    final: bool
    whole: bool
    calendar: str
    first_day: str | None = None
    last_day: str | None = None
    currency: str
    total_buckets: Count
    differing_buckets: Count
    billed_nano_usd: int
    ledger_nano_usd: int
    unattributed_billed_nano_usd: int
    unattributed_ledger_nano_usd: int
    other_vendors_nano_usd: int = 0
    buckets: tuple[Bucket, ...] = ()
    set_aside: tuple[SetAside, ...] = ()


class Lag(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """From the broker's append of a call to the instant of its decision, by the worker's clock, ms. ``over``: how many
    took longer than the threshold; ``waiting``: calls that have waited longer than that and have no decision yet."""

    decisions: Count
    p50_ms: int
    p99_ms: int
    max_ms: int
    over: Count
    waiting: Count


class LedgerResult(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """Whether the ledger has all that it covers, and all that the topics have.

    ``lacking``: records; ``damaged``: files. Where the topics were asked, ``behind``: records that they have and the
    ledger has not yet; ``past_end``: partitions whose ledger goes further than the topic, which then is another one or
    was cut. ``open_ended``: some of what is behind can be of the interval.
    """

    lacking: Count
    damaged: Count = 0
    behind: Count | None = None
    past_end: Count = 0
    open_ended: bool = False


class EstimateResult(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """Checks of one served model (None: of all) that were followed by a call.

    ``compared`` had an estimate and a cost, ``unpriced`` had not. An error is the difference of the two as a part of
    the cost, in parts per million; ``bias_nano_usd`` is what calls cost beyond ``estimated_nano_usd``, together. Of
    ``verdicts`` the check said another than the decision in ``verdict_differs``, a milder one in ``too_mild`` of them.
    """

    model: str | None = None
    checks: Count
    compared: Count
    unpriced: Count
    mean_error_ppm: Count | None = None
    median_error_ppm: Count | None = None
    p95_error_ppm: Count | None = None
    estimated_nano_usd: Count
    bias_nano_usd: int
    verdicts: Count
    verdict_differs: Count
    too_mild: Count
