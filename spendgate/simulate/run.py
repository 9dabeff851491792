"""A run of policies over a history: by the compiled kernel, or where that refuses, by the one of the live path."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from spendgate.engine.columns import CallColumns
from spendgate.engine.compile import Program
from spendgate.engine.rules import Int
from spendgate.engine.stream import Judged, NotStreamable, StreamJudge, WindowRow
from spendgate.engine.stream_exact import ExactJudge
from spendgate.ledger.amendments import COLUMNS as ANNOTATED
from spendgate.ledger.amendments import NOTHING, UNSTATED, Amendments, amended_batch
from spendgate.model.policy import Policy
from spendgate.simulate.ahead import read_ahead
from spendgate.simulate.annotations import amendments
from spendgate.simulate.arrow_columns import NEEDED, columns_of, identities_of, is_annotation
from spendgate.simulate.history import History, by_tenant
from spendgate.simulate.review_queue import patience_ms
from spendgate.simulate.tally import COLUMNS, DENY, REVIEW, Tally

IDENTITY = ("source", "id")
Progress = Callable[[int], None]
Listener = Callable[[str, Any, CallColumns, StreamJudge, Judged], None]
"""Told of every batch: tenant, the batch (outcomes as amended), its columns, the judge, what it said."""


@dataclass(frozen=True, slots=True)
class Options:
    """``refuse_reviews``: a would-be review is taken as refused, else as approved. ``as_recorded``: later annotations
    are not used. ``exact``: always the kernel of the live path, whose judge keeps the pairs of its last batch."""

    refuse_reviews: bool = False
    as_recorded: bool = False
    exact: bool = False

    @property
    def refused_from(self) -> int:
        """The mildest verdict (index into VERDICTS) that keeps a call from being made."""
        return REVIEW if self.refuse_reviews else DENY


class Judge(Protocol):
    """What a report asks of a tenant's judge; see ``StreamJudge``."""

    @property
    def program(self) -> Program: ...
    @property
    def rule_hits(self) -> Int: ...
    @property
    def totals(self) -> Int: ...

    def rows(self) -> Iterator[WindowRow]:
        """Every window that a call has met."""

    def key(self, rule: int, key: int) -> str:
        """A counter's key, as it stands in decisions."""

    def key_values(self, rule: int, key: int) -> tuple[str | None, ...]:
        """A counter's ``per`` values."""


@dataclass
class Run:
    """What a run found: ``tally``, and by tenant the judge with its windows, rule hits and totals. ``counts``: whether
    the tally is filled in."""

    policies: Sequence[Policy]
    options: Options
    counts: bool = True
    tally: Tally = field(init=False)
    judges: dict[str, Judge] = field(default_factory=dict)
    amended: dict[str, Amendments] = field(default_factory=dict)
    _rows: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        patiences = np.array([patience_ms(policy) for policy in self.policies], np.int64)
        self.tally = Tally(self.options.refused_from, patiences)

    def judge_of(self, tenant: str) -> StreamJudge:
        """The tenant's judge; a new one at the tenant's first batch."""
        found = self.judges.get(tenant)
        if isinstance(found, StreamJudge):
            return found
        kind = ExactJudge if self.options.exact else StreamJudge
        fresh = self.judges[tenant] = kind(self.policies, refuse_reviews=self.options.refuse_reviews)
        return fresh

    def add(self, tenant: str, batch: Any, *, marked: bool, listener: Listener | None) -> None:
        """Judge and count a batch of one tenant. Raises NotStreamable."""
        judge = self.judge_of(tenant)
        first = self._rows.get(tenant, 0)
        self._rows[tenant] = first + batch.num_rows
        amended = self.amended.get(tenant, NOTHING).between(first, first + batch.num_rows)
        batch = amended_batch(batch, amended)
        columns = corrected(columns_of(batch, judge.names), amended)
        judged = judge.judge(columns, None if marked else identities_of(batch))
        if self.counts:
            self.tally.add(batch, columns, judged)
        if listener is not None:
            listener(tenant, batch, columns, judge, judged)


def corrected(columns: CallColumns, amended: Amendments) -> CallColumns:
    """The columns with the costs that corrections give."""
    stated = amended.cost != UNSTATED
    if not stated.any():
        return columns
    cost = columns.cost.copy()
    cost[amended.rows[stated]] = amended.cost[stated]
    return columns._replace(cost=cost)


def simulate(
    policies: Sequence[Policy],
    history: History,
    options: Options = Options(),
    *,
    listener: Listener | None = None,
    restarted: Callable[[], None] = lambda: None,
    progress: Progress = lambda _: None,
    also: Sequence[str] = (),
    counts: bool = True,
) -> Run:
    """Judge a history by ``policies``, as if all of them had been staged before its first event.

    ``progress`` is told how many rows have been passed; ``also`` names more columns that a ``listener`` wants. Where
    the compiled kernel refuses a tenant's calls the run begins again with that of the live path, which takes all:
    ``restarted`` is called, and what the listener has heard is void. ``counts``: see Run; a listener may be all.
    """
    columns = [*needed(policies, marked=history.marked), *also]
    try:
        return _run(Run(policies, options, counts), history, columns, listener, progress)
    except NotStreamable:
        restarted()
        return _run(Run(policies, replace(options, exact=True), counts), history, columns, listener, progress)


def _run(run: Run, history: History, columns: Sequence[str], listener: Listener | None, progress: Progress) -> Run:
    if not run.options.as_recorded:
        run.amended = _amended(history)
    with closing(read_ahead(_batches(history, columns))) as batches:
        for tenant, batch in batches:
            run.add(tenant, batch, marked=history.marked, listener=listener)
            progress(run.tally.rows)
    return run


def needed(policies: Sequence[Policy], *, marked: bool) -> list[str]:
    """The columns that a run reads."""
    fields = StreamJudge(policies).fields
    return list(dict.fromkeys((*NEEDED, *fields, *COLUMNS, "tenant", *(() if marked else IDENTITY))))


def _batches(history: History, columns: Sequence[str]) -> Iterator[tuple[str, Any]]:
    tenants = history.tenants()
    if tenants is None:
        for batch in history.batches(columns):
            yield from by_tenant(batch)
        return
    for tenant in tenants:
        for batch in history.batches(columns, tenant):
            yield tenant, batch


def _amended(history: History) -> dict[str, Amendments]:
    """By tenant, what annotations say; a tenant without any is left out, and costs one pass over one column."""
    found: dict[str, Amendments] = {}
    for tenant in _annotated(history):
        first, second = (_of_tenant(history, tenant) for _ in range(2))
        found[tenant] = amendments(first, second, marked=history.marked)
    return found


def _of_tenant(history: History, tenant: str) -> Iterator[Any]:
    columns = (*ANNOTATED, "tenant")
    if history.tenants() is not None:
        yield from history.batches(columns, tenant)
        return
    for batch in history.batches(columns):
        yield from (part for name, part in by_tenant(batch) if name == tenant)


def _annotated(history: History) -> list[str]:
    found: dict[str, bool] = {}
    for tenant, batch in _batches(history, ("kind", "tenant")):
        if not found.get(tenant):
            found[tenant] = bool(np.any(is_annotation(batch["kind"])))
    return [tenant for tenant, is_annotated in found.items() if is_annotated]
