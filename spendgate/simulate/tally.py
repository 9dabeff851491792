"""What a run is counted into, batch by batch: verdicts, owners, days, outcomes, reviews."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spendgate.engine.batch import UNKNOWN
from spendgate.engine.columns import CallColumns, Names
from spendgate.engine.rules import Int
from spendgate.engine.stream import Judged
from spendgate.engine.windows import DAY_MS
from spendgate.ledger.amendments import EVIDENCE, OUTCOMES, codes_of
from spendgate.ledger.arrow_values import dictionary_of
from spendgate.model.decision import VERDICTS
from spendgate.simulate.arrow_columns import is_annotation
from spendgate.simulate.grouping import Groups
from spendgate.simulate.review_queue import PATIENT

OWNERS = ("team", "employee", "customer", "workflow", "model", "vendor", "api_key_id")
COLUMNS = (*OWNERS, "outcome", "evidence_status")
ACCEPTED = OUTCOMES.index("accepted")
REVIEW, DENY = VERDICTS.index("review"), VERDICTS.index("deny")


@dataclass(slots=True)
class Tally:
    """Sums over all tenants. ``closed`` and ``open`` hold one group; ``owners`` one a value, ``days`` one a UTC day
    from ``first_day`` on, ``outcomes`` and ``evidence`` one a word, the last one unstated. ``refused_from``: the
    mildest verdict (index into VERDICTS) that keeps a call from being made. ``patiences_ms``: by policy, how long a
    review waits; ``reviews_ms``: for each would-be review, when it came and how long it waits, shape (2, reviews)."""

    refused_from: int = DENY
    patiences_ms: Int = field(default_factory=lambda: np.zeros(0, np.int64))
    calls: int = 0
    rows: int = 0
    annotations: int = 0
    duplicates: int = 0
    late: int = 0
    unpriced: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    closed: Groups = field(default_factory=Groups)
    open: Groups = field(default_factory=Groups)
    names: dict[str, Names] = field(default_factory=lambda: {name: Names() for name in OWNERS})
    owners: dict[str, Groups] = field(init=False)
    days: dict[int, Int] = field(default_factory=dict)
    outcomes: Groups = field(default_factory=Groups)
    evidence: Groups = field(default_factory=Groups)
    reviews_ms: list[Int] = field(default_factory=list)
    unpriced_models: dict[tuple[str | None, str | None], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.owners = {name: Groups(self.refused_from) for name in OWNERS}

    def add(self, batch: Any, columns: CallColumns, judged: Judged) -> None:
        """Count a batch of one tenant, its outcomes as annotations have them."""
        outcome = codes_of(batch["outcome"], OUTCOMES)
        evidence = codes_of(batch["evidence_status"], EVIDENCE)
        accepted = (outcome == ACCEPTED).astype(np.int64)
        self._add_totals(columns, judged, accepted, int(is_annotation(batch["kind"]).sum()))
        self._add_owners(batch, columns, judged, accepted)
        self._add_days(columns, judged, accepted)
        self.outcomes.add(outcome % (len(OUTCOMES) + 1), judged.worst, columns.cost, accepted)
        self.evidence.add(evidence % (len(EVIDENCE) + 1), judged.worst, columns.cost, accepted)

    def _add_totals(self, columns: CallColumns, judged: Judged, accepted: Int, annotated: int) -> None:
        is_judged = judged.worst != UNKNOWN
        one = np.zeros(len(is_judged), np.int64)
        self.closed.add(one, judged.worst, columns.cost, accepted)
        self.open.add(one, judged.worst_open, columns.cost, accepted)
        self.rows += len(is_judged)
        self.annotations += annotated
        self.duplicates += int((~is_judged).sum()) - annotated
        self.calls += int(is_judged.sum())
        self.late += int(judged.timed.late[is_judged].sum())
        self.unpriced += int((columns.cost[is_judged] == UNKNOWN).sum())
        times = columns.time_ms[is_judged]
        if len(times):
            first, last = int(times.min()), int(times.max())
            self.first_ms = first if self.first_ms is None else min(first, self.first_ms)
            self.last_ms = last if self.last_ms is None else max(last, self.last_ms)

    def _add_owners(self, batch: Any, columns: CallColumns, judged: Judged, accepted: Int) -> None:
        codes = {}
        for name in OWNERS:
            numbers = codes[name] = self.names[name].numbers(*dictionary_of(batch[name]))
            self.owners[name].add(numbers, judged.worst, columns.cost, accepted)
        self._add_unpriced(codes["vendor"], codes["model"], (columns.cost == UNKNOWN) & (judged.worst != UNKNOWN))

    def _add_unpriced(self, vendors: Int, models: Int, unpriced: Any) -> None:
        if not unpriced.any():
            return
        pairs, counts = np.unique(np.stack((vendors[unpriced], models[unpriced])), axis=1, return_counts=True)
        for vendor, model, number in zip(*pairs.tolist(), counts.tolist(), strict=True):
            key = (self.names["vendor"].values[vendor], self.names["model"].values[model])
            self.unpriced_models[key] = self.unpriced_models.get(key, 0) + number

    def _add_days(self, columns: CallColumns, judged: Judged, accepted: Int) -> None:
        days = judged.timed.judged_ms // DAY_MS
        if not len(days):
            return
        first = int(days.min())
        groups = Groups()
        groups.add(days - first, judged.worst, columns.cost, accepted)
        for day in np.flatnonzero(groups.totals.any(axis=(1, 2))).tolist():
            known = self.days.get(first + day)
            self.days[first + day] = groups.totals[day] if known is None else known + groups.totals[day]
        reviews = judged.worst == REVIEW
        if reviews.any():
            asked = np.where(judged.by_policy[:, reviews] == REVIEW, self.patiences_ms[:, np.newaxis], PATIENT)
            self.reviews_ms.append(np.stack((judged.timed.judged_ms[reviews], asked.min(axis=0, initial=PATIENT))))


def verdicts_of(totals: Int | Sequence[list[int]]) -> dict[str, dict[str, int]]:
    """(verdicts, 2) as a report shows it."""
    pairs: Sequence[list[int]] = totals.tolist() if isinstance(totals, np.ndarray) else totals
    return {v: {"calls": c, "cost_nano_usd": n} for v, (c, n) in zip(VERDICTS, pairs, strict=True)}
