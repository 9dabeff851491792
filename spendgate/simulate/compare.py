"""Two sets of policies over the same calls: whose verdict changes, from what to what. One pass judges both."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from spendgate.engine.batch import UNKNOWN
from spendgate.engine.columns import CallColumns, Names
from spendgate.engine.rules import Int
from spendgate.engine.stream import Judged, StreamJudge
from spendgate.ledger.arrow_values import dictionary_of
from spendgate.model.canonical import policy_hash
from spendgate.model.decision import VERDICTS
from spendgate.model.policy import Policy
from spendgate.simulate.history import History
from spendgate.simulate.run import Options, simulate

OWNERS = ("team", "employee", "customer", "workflow")
MAX_OWNERS = 100
Sums = Counter[tuple[int, int]]


class Changes:
    """A listener: counts calls whose worst verdict differs between the first ``split`` policies and the others."""

    def __init__(self, split: int) -> None:
        self._split = split
        self.calls: Sums = Counter()
        self.nano_usd: Sums = Counter()
        self.owner_calls: Counter[tuple[str, str | None]] = Counter()
        self.owner_nano_usd: Counter[tuple[str, str | None]] = Counter()

    def __call__(self, tenant: str, batch: Any, columns: CallColumns, judge: StreamJudge, judged: Judged) -> None:
        """Count a batch."""
        before = _worst(judged.by_policy[: self._split], judged.worst)
        after = _worst(judged.by_policy[self._split :], judged.worst)
        changed = np.flatnonzero(before != after)
        if not len(changed):
            return
        costs = np.where(columns.cost == UNKNOWN, 0, columns.cost)[changed].tolist()
        for pair, cost in zip(zip(before[changed].tolist(), after[changed].tolist(), strict=True), costs, strict=True):
            self.calls[pair] += 1
            self.nano_usd[pair] += cost
        for name in OWNERS:
            self._add_owners(name, batch[name], changed, costs)

    def _add_owners(self, name: str, column: Any, changed: Int, costs: Sequence[int]) -> None:
        names = Names()
        numbers = names.numbers(*dictionary_of(column))[changed]
        for number, cost in zip(numbers.tolist(), costs, strict=True):
            self.owner_calls[name, names.values[number]] += 1
            self.owner_nano_usd[name, names.values[number]] += cost


def _worst(by_policy: Int, judged: Int) -> Int:
    """The worst verdict of some policies; APPROVE where none looks, UNKNOWN where the call was not judged."""
    worst = by_policy.max(axis=0, initial=0)
    return np.where(judged == UNKNOWN, UNKNOWN, worst)


def compare(before: Sequence[Policy], after: Sequence[Policy], history: History, options: Options) -> dict[str, Any]:
    """The ``compare`` section of a report."""
    heard = [Changes(len(before))]

    def listen(*told: Any) -> None:
        heard[-1](*told)

    def begin_again() -> None:
        heard.append(Changes(len(before)))

    simulate([*before, *after], history, options, listener=listen, restarted=begin_again)
    found = heard[-1]
    return {
        "a": _named(before),
        "b": _named(after),
        "changed": [
            {"from": VERDICTS[a], "to": VERDICTS[b], "calls": calls, "cost_nano_usd": found.nano_usd[a, b]}
            for (a, b), calls in sorted(found.calls.items())
        ],
        "owners": _owners(found),
    }


def _named(policies: Sequence[Policy]) -> list[dict[str, str]]:
    return [{"name": policy.metadata.name, "version": policy_hash(policy)} for policy in policies]


def _owners(found: Changes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {"field": name, "value": value, "calls": calls, "cost_nano_usd": found.owner_nano_usd[name, value]}
        for (name, value), calls in found.owner_calls.items()
    ]
    return sorted(rows, key=lambda r: (-r["cost_nano_usd"], -r["calls"], r["field"], r["value"] or ""))[:MAX_OWNERS]
