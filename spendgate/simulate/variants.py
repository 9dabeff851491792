"""One policy with one thing changed, many times over, side by side in one pass: policies do not see each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spendgate.engine.batch import UNKNOWN
from spendgate.engine.columns import CallColumns
from spendgate.engine.rules import Int
from spendgate.engine.stream import Judged, StreamJudge
from spendgate.ledger.amendments import OUTCOMES, codes_of
from spendgate.ledger.arrow_values import dictionary_of
from spendgate.ledger.reader_problem import InputError
from spendgate.model.policy import Budget, Policy
from spendgate.simulate.history import History
from spendgate.simulate.run import Options, simulate
from spendgate.simulate.tally import ACCEPTED

WARN = 1


@dataclass(frozen=True, slots=True)
class Target:
    """The budget that is varied: a policy, and which of its rules."""

    policy: Policy
    rule: int

    @property
    def budget(self) -> Budget:
        """The budget itself. Raises InputError where the rule is none."""
        found = self.policy.spec.rules[self.rule].budget
        if found is None:
            raise InputError(f"rule {self.rule} of {self.policy.metadata.name}: expected a budget")
        return found

    def with_fields(self, **changed: Any) -> Policy:
        """The policy with these fields of the budget changed, checked as any policy is."""
        document = self.policy.model_dump(mode="json", exclude_unset=True)
        document["spec"]["rules"][self.rule]["budget"] |= changed
        return Policy.model_validate(document)

    @property
    def owner(self) -> str:
        """Whose denials are counted as owners hit: the first ``per`` field, else the employee."""
        return next(iter(self.budget.per), "employee")


def target_of(text: str | None, policies: Sequence[Policy]) -> Target:
    """``POLICY/RULE``, ``POLICY`` or ``RULE``; None: the only budget. Raises InputError, which names the choices."""
    budgets = [
        Target(policy, rule)
        for policy in policies
        for rule, each in enumerate(policy.spec.rules)
        if each.budget is not None
    ]
    chosen = [each for each in budgets if text in (None, *_names(each))]
    if len(chosen) != 1:
        choices = ", ".join(f"{each.policy.metadata.name}/{each.rule}" for each in budgets) or "none"
        raise InputError(f"expected one budget; there are: {choices}")
    return chosen[0]


def _names(target: Target) -> tuple[str, ...]:
    name = target.policy.metadata.name
    return (f"{name}/{target.rule}", name, str(target.rule))


@dataclass
class Denials:
    """By variant and window number, over the calls that the policy looked at, in calls or nano-USD.

    ``denied``, ``denied_nano_usd``, ``lost`` (accepted outcomes denied), ``warned``: shape (variants, windows); where
    reviews are refused they count as denied.
    ``accepted``, ``nano_usd``: shape (windows,), all there was. ``owners``: by variant, who was denied anything.
    """

    denied: Int
    denied_nano_usd: Int
    lost: Int
    warned: Int
    accepted: Int
    nano_usd: Int
    owners: list[set[str | None]]

    @classmethod
    def nothing(cls, variants: int, windows: int) -> "Denials":
        """Nothing counted yet."""
        denied, nano_usd, lost, warned = (np.zeros((variants, windows), np.int64) for _ in range(4))
        one = np.zeros(windows, np.int64)
        return cls(denied, nano_usd, lost, warned, one, one.copy(), [set() for _ in range(variants)])


class _Counter:
    """A listener that fills in Denials; ``window_of`` numbers judged times, -1 for those that count in none."""

    def __init__(self, size: tuple[int, int], window_of: Any, owner: str, refused_from: int) -> None:
        self._size, self._window_of, self._owner, self._refused_from = size, window_of, owner, refused_from
        self.clear()

    def clear(self) -> None:
        """Forget all that was heard."""
        self.found = Denials.nothing(*self._size)

    def __call__(self, tenant: str, batch: Any, columns: CallColumns, judge: StreamJudge, judged: Judged) -> None:
        """Count a batch."""
        windows = self._window_of(judged.timed.judged_ms)
        looked = np.flatnonzero((judged.by_policy[0] != UNKNOWN) & (windows >= 0))
        if not len(looked):
            return
        window = windows[looked]
        cost = np.where(columns.cost == UNKNOWN, 0, columns.cost)[looked]
        accepted = codes_of(batch["outcome"], OUTCOMES)[looked] == ACCEPTED
        np.add.at(self.found.accepted, window[accepted], 1)
        np.add.at(self.found.nano_usd, window, cost)
        codes, owners = dictionary_of(batch[self._owner])
        for variant in range(self._size[0]):
            verdict = judged.by_policy[variant][looked]
            denied = verdict >= self._refused_from
            if denied.any():
                np.add.at(self.found.denied[variant], window[denied], 1)
                np.add.at(self.found.denied_nano_usd[variant], window[denied], cost[denied])
                np.add.at(self.found.lost[variant], window[denied & accepted], 1)
                self.found.owners[variant] |= {owners[code] for code in np.unique(codes[looked[denied]]).tolist()}
            np.add.at(self.found.warned[variant], window[verdict == WARN], 1)


def all_times(judged_ms: Int) -> Int:
    """One window for everything."""
    return np.zeros(len(judged_ms), np.int64)


def denials(
    target: Target, variants: Sequence[Policy], history: History, options: Options, windows: int = 1,
    window_of: Any = all_times,
) -> Denials:  # fmt: skip
    """One pass over the history for all variants."""
    counter = _Counter((len(variants), windows), window_of, target.owner, options.refused_from)
    simulate(variants, history, options, listener=counter, restarted=counter.clear)
    return counter.found
