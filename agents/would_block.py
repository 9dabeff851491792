"""What enforcing would have done to the calls of some decisions. Pure: decisions in, counts out."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from spendgate.engine.enforcing import BLOCKS_FROM
from spendgate.model.decision import VERDICTS, Decision, Verdict

WhyNot = Callable[[str, str], str | None]
"""Why a staging of a tenant is not to be enforced; None where it is."""


class Blocked(NamedTuple):
    """Calls that a staging would have blocked; ``why``: why it did not."""

    tenant: str
    staging: str
    policy: str
    verdict: Verdict
    why: str


class Count(NamedTuple):
    """How many, and what they cost together."""

    blocked: Blocked
    calls: int
    cost_nano_usd: int


def would_block(decisions: Iterable[Decision], why_not: WhyNot) -> list[Count]:
    """The calls whose decision blocks, by staging and verdict. Where the staging is enforced, they were made all the
    same because nobody asked before, or because a fault or an approval let them through: ``not_stopped``."""
    calls: Counter[Blocked] = Counter()
    cost: Counter[Blocked] = Counter()
    for decision in decisions:
        for blocked in _blocked(decision, why_not):
            calls[blocked] += 1
            cost[blocked] += decision.cost_nano_usd or 0
    return [Count(blocked, number, cost[blocked]) for blocked, number in calls.items()]


def _blocked(decision: Decision, why_not: WhyNot) -> Iterator[Blocked]:
    worst: dict[tuple[str, str], int] = {}
    for reason in decision.reasons:
        place = reason.staging, reason.policy
        worst[place] = max(worst.get(place, 0), VERDICTS.index(reason.verdict))
    for (staging, policy), verdict in worst.items():
        if verdict >= BLOCKS_FROM:
            why = why_not(decision.tenant, staging) or "not_stopped"
            yield Blocked(decision.tenant, staging, policy, VERDICTS[verdict], why)
