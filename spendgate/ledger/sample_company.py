"""An imagined company, which seeded samples draw from: who calls which model for what, at which price."""

from bisect import bisect
from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import exp
from random import Random
from statistics import NormalDist
from typing import Generic, NamedTuple, TypeVar

EMPLOYEES = 1000
_ACTIVITY_SLOPE = 1.1
"""Heavy tail: within a team the k-th busiest employee has a weight of ``1 / k ** slope``."""
_NORMAL = NormalDist()


class Model(NamedTuple):
    """A model, its vendor, its list price in nano-USD a token, and its share of the calls."""

    name: str
    vendor: str
    input_nano_usd: int
    output_nano_usd: int
    share: float


MODELS = (
    Model("gpt-4o", "openai", 2500, 10000, 0.24),
    Model("gpt-4o-mini", "openai", 150, 600, 0.20),
    Model("claude-sonnet-4-5", "anthropic", 3000, 15000, 0.22),
    Model("claude-haiku-4-5", "anthropic", 1000, 5000, 0.12),
    Model("gemini-2.5-pro", "google", 1250, 10000, 0.12),
    Model("gemini-2.5-flash", "google", 300, 2500, 0.10),
)


class Workflow(NamedTuple):
    """What calls are for, with the medians of its tokens."""

    name: str
    input_median: int
    output_median: int


_WORKFLOWS = {
    flow.name: flow
    for flow in (
        Workflow("support-triage", 1300, 150),
        Workflow("ticket-summary", 2000, 270),
        Workflow("code-review", 4400, 600),
        Workflow("doc-draft", 950, 1000),
        Workflow("contract-review", 7600, 700),
        Workflow("incident-response", 2700, 500),
        Workflow("report-builder", 3000, 1200),
        Workflow("lead-scoring", 760, 100),
    )
}


class Team(NamedTuple):
    """A team, its share of people and calls, and the workflows that it uses."""

    name: str
    share: float
    workflows: tuple[str, ...]


TEAMS = (
    Team("marketing", 0.16, ("doc-draft", "report-builder")),
    Team("growth-emea", 0.10, ("lead-scoring", "doc-draft")),
    Team("growth-us", 0.12, ("lead-scoring", "report-builder")),
    Team("support", 0.22, ("support-triage", "ticket-summary")),
    Team("research", 0.10, ("report-builder", "doc-draft")),
    Team("legal", 0.06, ("contract-review", "doc-draft")),
    Team("platform", 0.16, ("code-review", "incident-response")),
    Team("sales", 0.08, ("lead-scoring", "report-builder")),
)


T = TypeVar("T")


class Draw(Generic[T]):
    """A weighted draw that uses ``Random.random`` alone, whose sequence no Python version changes."""

    def __init__(self, things: Sequence[T], weights: Iterable[float]) -> None:
        self._things = things
        self._sums = list(accumulate(weights))

    def __call__(self, rng: Random) -> T:
        at = bisect(self._sums, rng.random() * self._sums[-1])
        return self._things[min(at, len(self._things) - 1)]


def log_normal(rng: Random, median: float, sigma: float) -> float:
    """One draw of the log-normal distribution with this median."""
    return median * exp(sigma * _NORMAL.inv_cdf(max(rng.random(), 1e-12)))


class Owner(NamedTuple):
    """Who calls, for what, with which model."""

    team: str
    employee: str
    workflow: Workflow
    model: Model


class Company:
    """One thousand employees in eight teams; who they are follows from ``rng`` alone."""

    def __init__(self, rng: Random) -> None:
        team_of = Draw(TEAMS, (team.share for team in TEAMS))
        people: dict[str, list[str]] = {team.name: [] for team in TEAMS}
        for number in range(1, EMPLOYEES + 1):
            people[team_of(rng).name].append(f"e{number:04d}")
        self._team = team_of
        self._people = {name: self._by_activity(names, rng) for name, names in people.items()}
        self._model = Draw(MODELS, (model.share for model in MODELS))

    @staticmethod
    def _by_activity(names: list[str], rng: Random) -> Draw[str]:
        ranked = sorted(names, key=lambda _: rng.random())
        return Draw(ranked, (rank**-_ACTIVITY_SLOPE for rank in range(1, len(ranked) + 1)))

    def owner(self, rng: Random) -> Owner:
        """Draw who makes one call."""
        team = self._team(rng)
        workflow = team.workflows[0 if rng.random() < 0.6 else 1]
        return Owner(team.name, self._people[team.name](rng), _WORKFLOWS[workflow], self._model(rng))


def price_nano_usd(model: Model, input_tokens: int, output_tokens: int) -> int:
    """What a call costs at list price, in nano-USD."""
    return input_tokens * model.input_nano_usd + output_tokens * model.output_nano_usd
