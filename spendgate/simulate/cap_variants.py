"""One budget at many caps or warn thresholds by the kernel made for it; where that refuses, side by side."""

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from spendgate.engine.columns import CallColumns, Names
from spendgate.engine.rules import Int
from spendgate.engine.stream import Judged, NotStreamable, StreamJudge
from spendgate.engine.sweep import SweepJudge, TooManyKeys, new_counts, without_budgets
from spendgate.ledger.amendments import OUTCOMES, codes_of
from spendgate.ledger.arrow_values import dictionary_of
from spendgate.model.policy import Policy
from spendgate.simulate.history import History
from spendgate.simulate.run import Options, simulate
from spendgate.simulate.tally import ACCEPTED
from spendgate.simulate.variants import Denials, Target, all_times, denials


class _Listener:
    """Hands every batch to its tenant's judge; ``window_of``: see ``variants.denials``."""

    def __init__(self, variants: Sequence[Policy], windows: int, window_of: Any, owner: str, *, refuse: bool) -> None:
        self._variants, self._window_of, self._owner, self._refuse = variants, window_of, owner, refuse
        self._judges: dict[str, SweepJudge] = {}
        self._owners = Names()
        self._counts = new_counts(windows, len(variants))

    def __call__(self, tenant: str, batch: Any, columns: CallColumns, judge: StreamJudge, judged: Judged) -> None:
        """Judge and count a batch. Raises NotStreamable and TooManyKeys."""
        mine = self._judges.get(tenant)
        if mine is None:
            mine = self._judges[tenant] = SweepJudge(self._variants, self._counts, refuse_reviews=self._refuse)
        mine.counts = self._counts
        self._counts = mine.judge(
            columns._replace(names={name: _numbers(batch[name], known) for name, known in mine.names.items()}),
            judged.timed,
            judged.by_policy[0],
            window=self._window_of(judged.timed.judged_ms),
            accepted=(codes_of(batch["outcome"], OUTCOMES) == ACCEPTED).astype(np.int64),
            owner=_numbers(batch[self._owner], self._owners),
            owners=len(self._owners.values),
        )

    def found(self) -> Denials:
        """All that was counted."""
        counts, values = self._counts, self._owners.values
        hits = [{values[at] for at in np.flatnonzero(column).tolist()} for column in counts.hits.T]
        return Denials(
            counts.denied.T, counts.denied_nano_usd.T, counts.lost.T, counts.warned.T, counts.accepted,
            counts.nano_usd, hits,
        )  # fmt: skip


def _numbers(column: Any, names: Names) -> Int:
    return names.numbers(*dictionary_of(column))


def _refused() -> NoReturn:
    raise NotStreamable


def cap_denials(
    target: Target, variants: Sequence[Policy], history: History, options: Options, windows: int = 1,
    window_of: Any = all_times,
) -> Denials:  # fmt: skip
    """As ``variants.denials``, of variants that differ in the budget's cap and warn thresholds alone.

    One pass for all of them. Where the rings of a rolling budget would not fit, one pass for either half; where calls
    are too far out of order, the variants side by side.
    """
    listener = _Listener(variants, windows, window_of, target.owner, refuse=options.refuse_reviews)
    also = [*_per_fields(target.policy), target.owner]
    try:
        judged_by = [without_budgets(target.policy)]
        simulate(judged_by, history, options, listener=listener, restarted=_refused, also=also, counts=False)
    except TooManyKeys:
        return _halves(target, variants, history, options, windows, window_of)
    except NotStreamable:
        return denials(target, variants, history, options, windows, window_of)
    return listener.found()


def _halves(
    target: Target, variants: Sequence[Policy], history: History, options: Options, windows: int, window_of: Any
) -> Denials:
    middle = len(variants) // 2
    if middle == 0:
        return denials(target, variants, history, options, windows, window_of)
    left, right = (
        cap_denials(target, half, history, options, windows, window_of)
        for half in (variants[:middle], variants[middle:])
    )
    pairs = zip(_sums(left), _sums(right), strict=True)
    denied, nano_usd, lost, warned = (np.concatenate(pair) for pair in pairs)
    return Denials(denied, nano_usd, lost, warned, left.accepted, left.nano_usd, left.owners + right.owners)


def _sums(found: Denials) -> tuple[Int, ...]:
    return found.denied, found.denied_nano_usd, found.lost, found.warned


def _per_fields(policy: Policy) -> list[str]:
    return [name for rule in policy.spec.rules if rule.budget is not None for name in rule.budget.per]
