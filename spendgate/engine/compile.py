"""compile: policy versions, as staged for one tenant, into what plan and decide read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spendgate.engine.classes import Classes
from spendgate.engine.counters import Counters
from spendgate.engine.plan import Calendars
from spendgate.engine.rules import BUDGET, Layout, PolicyArrays, Rules, rule_rows
from spendgate.engine.staging import Staging, set_hash
from spendgate.engine.windows import CalendarTable
from spendgate.model.decision import VERDICTS
from spendgate.model.policy import Policy, Rule


@dataclass(frozen=True, slots=True)
class Program:
    """Everything about a set of stagings that does not depend on calls; arrays are by rule in staging order."""

    stagings: tuple[Staging, ...]
    policies: tuple[Policy, ...]
    name: str
    rules: Rules
    by_policy: PolicyArrays
    layout: Layout
    classes: Classes
    tables: list[CalendarTable]
    rule_in_policy: tuple[int, ...]

    def calendars(self, from_ms: int, to_ms: int) -> Calendars:
        """The calendar tables, covering ``[from_ms, to_ms]``."""
        for table in self.tables:
            table.cover(from_ms, to_ms)
        starts = [table.starts for table in self.tables]
        return Calendars(
            np.concatenate([np.zeros(0, np.int64), *starts]),
            np.cumsum([0, *map(len, starts)], dtype=np.int64),
        )

    def rule(self, number: int) -> Rule:
        """The rule behind a row of the arrays."""
        return self.policies[int(self.rules.rows["policy"][number])].spec.rules[self.rule_in_policy[number]]


def compile_program(stagings: Sequence[Staging], documents: Mapping[str, Policy], counters: Counters) -> Program:
    """The program of ``stagings``; ``documents`` by hash must hold each. Raises KeyError if one is missing."""
    policies = [documents[staging.hash] for staging in stagings]
    places = [(s.staging, i) for s, p in zip(stagings, policies, strict=True) for i in range(len(p.spec.rules))]
    rules, layout = rule_rows(policies, [counters.number(staging, rule) for staging, rule in places])
    return Program(
        tuple(stagings),
        tuple(policies),
        set_hash(stagings),
        rules,
        PolicyArrays(
            np.array([VERDICTS.index(policy.spec.on_unpriced) for policy in policies], np.int64),
            np.array([_denies_from(staging) for staging in stagings], np.int64),
        ),
        layout,
        Classes.of(policies),
        [CalendarTable.empty(calendar) for calendar in layout.calendars],
        tuple(rule for _, rule in places),
    )


def _denies_from(staging: Staging) -> int:
    return len(VERDICTS) if staging.stage == "enforced" else VERDICTS.index("deny")


def budgets_of(program: Program) -> list[int]:
    """The rows of the arrays that are budgets."""
    return [int(row) for row in np.nonzero(program.rules.rows["kind"] == BUDGET)[0]]
