"""The tree of budgets: company, line of business, case, agent, each with what was spent of its cap.

It is read off the ledger by the simulator, history and today together. Which budget belongs to which level follows from
what it counts ``per``: nothing, team, project, project and agent.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from spendgate.ledger.delta_reader import Ledger
from spendgate.model.event import Event
from spendgate.model.policy import Policy
from spendgate.simulate.history import LedgerHistory
from spendgate.simulate.run import Judge, simulate
from spendgate.simulate.selection import Selection

Key = tuple[str | None, ...]
COMPANY, LINE, CASE, AGENT = (), ("team",), ("project",), ("project", "agent")
MOST_CASES = 3


class Sum(NamedTuple):
    """What was spent of a cap, nano-USD, in the window that holds the last call."""

    spent_nano_usd: int
    cap_nano_usd: int


@dataclass
class Node:
    """One budget, and those of its parts that are nearest their caps. ``parts``: how many there are in all."""

    name: str
    sum: Sum
    below: "list[Node]" = field(default_factory=list)
    parts: int = 0

    @property
    def share(self) -> float:
        """Spent, of the cap."""
        return self.sum.spent_nano_usd / max(1, self.sum.cap_nano_usd)

    def as_dict(self) -> dict[str, Any]:
        """With all below it."""
        return {"name": self.name, **self.sum._asdict(), "below": [each.as_dict() for each in self.below]}


def budget_tree(root: Path, tenant: str, policies: Sequence[Policy], calls: Sequence[Event]) -> list[Node]:
    """The tree of a tenant; of its cases those of ``calls``, which say what belongs to what."""
    history = LedgerHistory(Ledger.open(root), str(root), Selection(where={"tenant": tenant}))
    judge = simulate(policies, history).judges[tenant]
    sums = _sums(judge, policies, max(call.time for call in calls))
    lines = {call.team: {each.project for each in calls if each.team == call.team} for call in calls}
    below = [_line(sums, team, projects, calls) for team, projects in lines.items() if (team,) in sums.get(LINE, {})]
    found = sums.get(COMPANY, {}).get(())
    return _nearest(below) if found is None else [Node("all of it", found, _nearest(below), len(below))]


def _line(sums: "_Sums", team: str | None, projects: Iterable[str | None], calls: Sequence[Event]) -> Node:
    below = [_case(sums, project, calls) for project in projects if (project,) in sums.get(CASE, {})]
    return Node(team or "(none)", sums[LINE][(team,)], _nearest(below)[:MOST_CASES], len(below))


def _case(sums: "_Sums", project: str | None, calls: Sequence[Event]) -> Node:
    agents = {call.agent for call in calls if call.project == project}
    known = sums.get(AGENT, {})
    below = [Node(agent or "(none)", known[project, agent]) for agent in agents if (project, agent) in known]
    return Node(project or "(none)", sums[CASE][(project,)], _nearest(below), len(below))


def _nearest(nodes: Iterable[Node]) -> list[Node]:
    return sorted(nodes, key=lambda node: (-node.share, node.name))


_Sums = Mapping[tuple[str, ...], Mapping[Key, Sum]]


def _sums(judge: Judge, policies: Sequence[Policy], at: datetime) -> _Sums:
    """By what is counted per, and by its values: of several budgets the lowest cap."""
    budgets = dict(enumerate(_budgets(policies)))
    found: dict[tuple[str, ...], dict[Key, Sum]] = {}
    for row in judge.rows():
        per, cap = budgets[row.rule]
        if per is None or not _holds(row.span, at):
            continue
        level, key = found.setdefault(per, {}), judge.key_values(row.rule, row.key)
        if key not in level or cap < level[key].cap_nano_usd:
            level[key] = Sum(row.recorded_nano_usd, cap)
    return found


def _budgets(policies: Sequence[Policy]) -> Iterator[tuple[tuple[str, ...] | None, int]]:
    """Each rule's ``per`` and cap; (None, 0) for what is no budget."""
    for policy in policies:
        for rule in policy.spec.rules:
            yield (None, 0) if rule.budget is None else (tuple(rule.budget.per), rule.budget.cap_nano_usd)


def _holds(span: tuple[int, int] | None, at: datetime) -> bool:
    return span is None or span[0] <= at.timestamp() * 1000 < span[1]
