"""What runs over some of the tenants have found, put together: the sums and windows of a run over all of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spendgate.engine.compile import Program
from spendgate.engine.rules import Int
from spendgate.engine.stream import StreamJudge, WindowRow
from spendgate.model.policy import Policy
from spendgate.simulate.grouping import Groups
from spendgate.simulate.run import Judge, Options, Run
from spendgate.simulate.tally import OWNERS, Tally


class Window(NamedTuple):
    """A row of a judge, with its key in words and by its values."""

    row: WindowRow
    key: str
    values: tuple[str | None, ...]


class Found(NamedTuple):
    """What one tenant's judge has found, fit to be sent elsewhere."""

    rule_hits: Int
    totals: Int
    windows: list[Window]


class Part(NamedTuple):
    """What a run over some tenants has found."""

    tally: Tally
    found: dict[str, Found]


def part_of(run: Run) -> Part:
    """What a run has found."""
    return Part(run.tally, {tenant: _found(judge) for tenant, judge in run.judges.items()})


def _found(judge: Judge) -> Found:
    windows = [Window(row, judge.key(row.rule, row.key), judge.key_values(row.rule, row.key)) for row in judge.rows()]
    return Found(judge.rule_hits, judge.totals, windows)


@dataclass(frozen=True, slots=True)
class RemoteJudge:
    """A tenant's judge as a report sees it, of calls that were judged elsewhere."""

    program: Program
    rule_hits: Int
    totals: Int
    windows: Sequence[Window]
    names: dict[tuple[int, int], Window]

    def rows(self) -> Iterator[WindowRow]:
        """See ``StreamJudge.rows``."""
        return (window.row for window in self.windows)

    def key(self, rule: int, key: int) -> str:
        """See ``StreamJudge.key``."""
        return self.names[rule, key].key

    def key_values(self, rule: int, key: int) -> tuple[str | None, ...]:
        """See ``StreamJudge.key_values``."""
        return self.names[rule, key].values


def merged(policies: Sequence[Policy], options: Options, parts: Sequence[Part]) -> Run:
    """The run over all tenants, each of which is in one part alone. The order of the parts changes nothing."""
    run, program = Run(policies, options), StreamJudge(policies).program
    for part in parts:
        add_tally(run.tally, part.tally)
        for tenant, (hits, totals, windows) in part.found.items():
            names = {(window.row.rule, window.row.key): window for window in windows}
            run.judges[tenant] = RemoteJudge(program, hits, totals, windows, names)
    return run


def add_tally(into: Tally, other: Tally) -> None:
    """Add another tally's sums."""
    for name in ("calls", "rows", "annotations", "duplicates", "late", "unpriced"):
        setattr(into, name, getattr(into, name) + getattr(other, name))
    into.first_ms = min((ms for ms in (into.first_ms, other.first_ms) if ms is not None), default=None)
    into.last_ms = max((ms for ms in (into.last_ms, other.last_ms) if ms is not None), default=None)
    for name in ("closed", "open", "outcomes", "evidence"):
        groups: Groups = getattr(other, name)
        getattr(into, name).merge(groups, np.arange(len(groups.totals)))
    for name in OWNERS:
        values = other.names[name].values
        numbers = into.names[name].numbers(np.arange(len(values)), values)
        into.owners[name].merge(other.owners[name], numbers)
    for day, totals in other.days.items():
        into.days[day] = into.days[day] + totals if day in into.days else totals
    into.reviews_ms += other.reviews_ms
    for model, calls in other.unpriced_models.items():
        into.unpriced_models[model] = into.unpriced_models.get(model, 0) + calls
