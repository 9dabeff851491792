"""The smallest cap that keeps to a limit in every full window, by sweeps over ever narrower grids."""

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from spendgate.ledger.reader_problem import InputError
from spendgate.model.money import NANO_PER_USD
from spendgate.simulate.cap_variants import cap_denials
from spendgate.simulate.full_windows import Windows
from spendgate.simulate.history import History
from spendgate.simulate.run import Run
from spendgate.simulate.variants import Denials, Target

GRID = 64
NEAR = 31
MAX_PASSES = 16
CENT = NANO_PER_USD // 100


@dataclass(frozen=True, slots=True)
class Limit:
    """No more than ``percent`` of accepted outcomes, or of ``dollars``, may be denied in any full window."""

    percent: Decimal
    dollars: bool

    def holds(self, lost: int, of: int) -> bool:
        """Whether so much lost is still allowed; exact."""
        return lost * 100 <= Fraction(self.percent) * of

    def sums(self, found: Denials) -> tuple[list[list[int]], list[int]]:
        """By variant and window, what would have been lost; by window, of how much."""
        lost, of = (found.denied_nano_usd, found.nano_usd) if self.dollars else (found.lost, found.accepted)
        return lost.tolist(), of.tolist()


def step_of(cap_nano_usd: int) -> int:
    """How finely a cap of this size is sought: to the cent, or ten, a hundred, ... of which there are GRID cubed."""
    step = CENT
    while cap_nano_usd > step * GRID**3:
        step *= 10
    return step


def usd(nano_usd: int) -> str:
    """Whole cents as decimal dollars."""
    return f"{nano_usd // NANO_PER_USD}.{nano_usd % NANO_PER_USD // CENT:02}"


@dataclass
class CapSearch:
    """``tried``: by cap in nano-USD, what each window would have lost; ``of``: of how much.

    That less is denied under a higher cap is likely, and no law (a call that fits may take the room of others), so an
    answer is only given where every cap tried above it holds too, its neighbours among them.
    """

    target: Target
    limit: Limit
    windows: Windows
    history: History
    run: Run
    tried: dict[int, list[int]] = field(default_factory=dict)
    of: list[int] = field(default_factory=list)

    def smallest(self, windows: int) -> int:
        """The smallest cap that holds in the first so many windows. Raises InputError if none does."""
        top = _rounded_up(_most_recorded(self.target, self.run))
        wanted = self._next(self._answer(windows), top) if self.tried else [0, *_between(0, top, CENT), top]
        passes = 0
        while wanted and passes < MAX_PASSES:
            self._try(wanted)
            passes += 1
            wanted = self._next(self._answer(windows), top)
        return self._answer(windows)

    def below(self, cap: int) -> int | None:
        """The next smaller cap that was tried."""
        return max((each for each in self.tried if each < cap), default=None)

    def holds(self, cap: int, windows: int) -> bool:
        """Whether a cap that was tried keeps to the limit in the first so many windows."""
        return all(map(self.limit.holds, self.tried[cap][:windows], self.of[:windows]))

    def _try(self, caps: list[int]) -> None:
        found = cap_denials(
            self.target, [self.target.with_fields(cap_usd=usd(cap)) for cap in caps], self.history, self.run.options,
            len(self.windows), self.windows.number_of,
        )  # fmt: skip
        lost, self.of = self.limit.sums(found)
        self.tried.update(zip(caps, lost, strict=True))

    def _answer(self, windows: int) -> int:
        answer = None
        for cap in sorted(self.tried, reverse=True):
            if not self.holds(cap, windows):
                break
            answer = cap
        if answer is None:
            raise InputError("suggest: no cap is enough; what other rules of the policy deny is over the percentage")
        return answer

    def _next(self, answer: int, top: int) -> list[int]:
        """The caps to try now: between the answer and what fails below it, then next to it; none when done."""
        step, below = step_of(answer), self.below(answer)
        if below is not None and answer - below > step:
            return _between(below, answer, step)
        near = (answer + number * step for number in range(-NEAR, NEAR + 1))
        return [cap for cap in near if 0 <= cap <= top and cap not in self.tried]


def _between(low: int, high: int, step: int) -> list[int]:
    """At most GRID multiples of ``step`` strictly between two others, evenly spread."""
    steps = (high - low) // step
    count = min(GRID, steps - 1)
    return [low + steps * number // (count + 1) * step for number in range(1, count + 1)]


def _rounded_up(nano_usd: int) -> int:
    """To a whole step, and more than nothing."""
    step = step_of(nano_usd)
    return max(1, -(-nano_usd // step)) * step


def _most_recorded(target: Target, run: Run) -> int:
    """The most that any window of the budget has recorded: a cap that nothing breaches."""
    row = next(at for at, (policy, rule) in enumerate(_places(run)) if policy is target.policy and rule == target.rule)
    rows = (each for judge in run.judges.values() for each in judge.rows())
    return max((each.recorded_nano_usd for each in rows if each.rule == row), default=0)


def _places(run: Run) -> list[tuple[object, int]]:
    return [(policy, rule) for policy in run.policies for rule in range(len(policy.spec.rules))]
