"""Which decisions raise an alert. Pure: decisions in log order, and what has been told, in; crossings to tell of, out.

A warn threshold is **crossed** by a call that brought the admitted sum from below it to it or past it: the engine says
so in the decision (``alerts``). A cap is crossed by a call that was over it (``over_cap``), admitted or not. A series
is one threshold, or the cap, of one counter of one rule of one staging.

- A calendar or lifetime window tells of a series once.
- A rolling window moves with every call. It tells when nothing has been told yet, and again when a call of a newer
  window has found the sum below. For a threshold each crossing has. For a cap it is what was **recorded** in the window
  before the call that must be back within it, since the admitted sum of a policy that denies never leaves it; and a
  window that shares no bucket with the one told of last tells of the cap in any case. Calls of older windows tell of
  nothing.

Every rule looks at the decision itself: how many reasons a tenant has listed changes nothing, and decisions that come
again tell of nothing again.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Set
from datetime import datetime
from hashlib import sha256
from typing import Literal, NamedTuple

from policy_store.asked_reviews import PolicyOf, ms
from spendgate.model.decision import Decision, Reason
from spendgate.model.policy import RollingWindow


class Crossing(NamedTuple):
    """A call that crossed. ``percent``: of a warn threshold; None for the cap."""

    decision: Decision
    reason: Reason
    percent: int | None

    @property
    def kind(self) -> Literal["threshold", "cap"]:
        """Which of the two."""
        return "cap" if self.percent is None else "threshold"

    @property
    def series(self) -> str:
        """The name of the threshold or cap, of this counter, of this staging."""
        named = [self.decision.tenant, self.reason.staging, self.reason.rule, self.reason.counter, self.percent]
        return sha256(json.dumps(named).encode()).hexdigest()

    @property
    def id(self) -> str:
        """The alert's: the same for the same series and window, whoever works it out, and however often."""
        return f"alr-{sha256(f'{self.series} {_ms(self.reason.window_end)}'.encode()).hexdigest()[:32]}"

    @property
    def end_ms(self) -> int:
        """Where its window ends; 0 for a lifetime."""
        return _ms(self.reason.window_end)


def crossings(decisions: Iterable[Decision]) -> list[Crossing]:
    """The crossings of these decisions in their order; of several in one window the first.

    The first is enough: in the order of the log a window's sums do not fall.
    """
    found: dict[tuple[object, ...], Crossing] = {}
    for each in (crossing for decision in decisions for crossing in _of(decision)):
        reason = each.reason
        key = (each.decision.tenant, reason.staging, reason.rule, reason.counter, each.percent, reason.window_end)
        found.setdefault(key, each)
    return list(found.values())


def _of(decision: Decision) -> Iterator[Crossing]:
    for reason in decision.reasons:
        for percent in reason.alerts:
            yield Crossing(decision, reason, percent)
        if reason.code == "over_cap":
            yield Crossing(decision, reason, None)


def untold(
    found: Iterable[Crossing], told: Set[str], latest_ms: Mapping[str, int], policy_of: PolicyOf
) -> list[Crossing]:
    """Those that are to be told. ``told``: ids of alerts that there are; ``latest_ms``: by series, where the latest
    window ends that has told. A staging that the store does not know is taken for one of rolling windows: that tells of
    a calendar window once too, and only not of one that is older than the last that told."""
    new: list[Crossing] = []
    latest = dict(latest_ms)
    for each in found:
        if each.id in told or (_is_rolling(each, policy_of) and not _tells(each, latest.get(each.series))):
            continue
        latest[each.series] = max(each.end_ms, latest.get(each.series, each.end_ms))
        new.append(each)
    return new


def _is_rolling(crossing: Crossing, policy_of: PolicyOf) -> bool:
    policy = policy_of(crossing.decision.tenant, crossing.reason.staging)
    if policy is None:
        return crossing.reason.window_end is not None
    rules = policy.spec.rules[crossing.reason.rule :]
    budget = rules[0].budget if rules else None
    return budget is not None and isinstance(budget.window, RollingWindow)


def _tells(crossing: Crossing, latest_ms: int | None) -> bool:
    """Whether a rolling window tells, when the latest one that did ended there."""
    if latest_ms is None:
        return True
    reason = crossing.reason
    was_within = crossing.percent is not None or (reason.recorded_before_nano_usd or 0) <= (reason.limit_nano_usd or 0)
    return crossing.end_ms > latest_ms and (was_within or _ms(reason.window_start) >= latest_ms)


def _ms(moment: datetime | None) -> int:
    return 0 if moment is None else ms(moment)
