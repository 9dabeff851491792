"""The tree of budgets: what counts more calls stands above what counts some of them, each with its sums. Pure.

A place is a set of calls: those of a team, of a team's workflow, of one case. Where a policy's scope and a counter's
values alone do not say under which other place it belongs, what calls had in common does (``belonging``). Fields are
taken from the coarse to the fine, and a place only ever stands under a coarser one, so a tree it is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway_shadow.belonging import Belonging
from gateway_shadow.budgets.documents import BudgetDocument, CounterDocument, Mark
from spendgate.model.policy_globs import covers_all, is_literal
from spendgate.model.text import NONE

COARSE_TO_FINE = ("team", "workflow", "customer", "project", "agent", "employee", "vendor", "model")
MOST_BELOW, MOST_UNDER = 12, 500
"""Of a place so many are shown below it; of one that is looked at by itself so many."""
OPEN_TO = 2
"""So many levels are open at first; further down a place is where something below it is near its cap."""
_RANK: dict[Mark, int] = {"within": 0, "approaching": 1, "over": 2}

Limits = tuple[tuple[str, tuple[str, ...]], ...]
"""What limits a place's calls: by field, from the coarse to the fine, the globs of which one must match."""


class Line(NamedTuple):
    """One counter of a budget; None where it has none yet, or too many to list (``not_listed`` numbers)."""

    budget: BudgetDocument
    counter: CounterDocument | None
    window: str

    @property
    def percent(self) -> float:
        """Spent or used of the cap, whichever is more."""
        return self.counter.percent if self.counter else 0.0

    @property
    def mark(self) -> Mark:
        """In a word."""
        return self.counter.mark if self.counter else "within"


@dataclass
class Place:
    """Calls that budgets count. ``name``: what it adds to the place above; ``more``: how many below it are left out."""

    limits: Limits
    name: str = "All calls"
    lines: list[Line] = field(default_factory=list)
    below: "list[Place]" = field(default_factory=list)
    more: int = 0
    is_open: bool = True
    places: int = 0
    marks: dict[Mark, int] = field(default_factory=dict)
    percent: float = 0.0

    @property
    def key(self) -> str:
        """Its name in an address."""
        return " ".join(f"{name}={','.join(globs)}" for name, globs in self.limits)


class BudgetsView(NamedTuple):
    """The tree, or the part of it that is looked at. ``counters``, ``approaching``, ``over``: in all of it."""

    root: Place
    counters: int
    approaching: int
    over: int


def tree(
    budgets: Sequence[BudgetDocument], belonging: Belonging, under: str = "", at_least: Mark = "within",
    most: int = MOST_BELOW,
) -> BudgetsView:  # fmt: skip
    """All budgets as a tree. ``under``: the key of a place that is looked at; ``at_least``: only what is so near;
    ``most``: so many below each place."""
    places = _places(budgets, at_least)
    _hang(places, belonging)
    root = places[()]
    _count(root)
    counters = [each.mark for place in places.values() for each in place.lines if each.counter]
    shown = next((each for each in places.values() if each.key == under), root)
    _cut(shown, 0, MOST_UNDER if under else most, most)
    return BudgetsView(shown, len(counters), counters.count("approaching"), counters.count("over"))


def _places(budgets: Sequence[BudgetDocument], at_least: Mark) -> dict[Limits, Place]:
    found: dict[Limits, Place] = {(): Place(())}
    for limits, line in (each for budget in budgets for each in _lines(budget)):
        if _RANK[line.mark] >= _RANK[at_least]:
            found.setdefault(limits, Place(limits)).lines.append(line)
    return found


def _lines(budget: BudgetDocument) -> Iterator[tuple[Limits, Line]]:
    window = window_words(budget.window)
    scope = {name: tuple(budget.scope[name]) for name in COARSE_TO_FINE if name in budget.scope}
    for counter in budget.counters:
        own = {name: (NONE if value is None else value,) for name, value in counter.per.items()}
        yield _limits({**scope, **own}), Line(budget, counter, window)
    if not budget.counters:
        yield _limits(scope), Line(budget, None, window)


def _limits(said: Mapping[str, tuple[str, ...]]) -> Limits:
    return tuple((name, said[name]) for name in COARSE_TO_FINE if name in said)


def _hang(places: Mapping[Limits, Place], belonging: Belonging) -> None:
    """Put each place under the one that tells most of it."""
    depths: dict[Limits, int] = {(): 0}
    shapes: set[tuple[str, ...]] = set()
    several: list[Limits] = []
    for limits, place in sorted(places.items(), key=lambda each: _order(each[0])):
        if not limits:
            continue
        known = _known(limits, belonging)
        above = max(
            _above(limits, known, shapes, several, places), key=lambda each: (depths[each], *_coarse_first(each))
        )
        depths[limits] = depths[above] + 1
        place.name = _name(limits, above)
        places[above].below.append(place)
        shapes.add(tuple(name for name, _ in limits))
        several += [limits] if _is_of_several(limits) else []


def _order(limits: Limits) -> tuple[tuple[int, int], str]:
    """Whatever stands under another comes after it."""
    return _fineness(limits), str(limits)


def _fineness(limits: Limits) -> tuple[int, int]:
    return max((COARSE_TO_FINE.index(name) for name, _ in limits), default=-1), len(limits)


def _coarse_first(limits: Limits) -> tuple[int, int]:
    finest, number = _fineness(limits)
    return -finest, number


def _known(limits: Limits, belonging: Belonging) -> dict[str, tuple[str, ...]]:
    """What is known of a place's calls, said or seen."""
    seen: dict[str, tuple[str, ...]] = {}
    for name, globs in limits:
        if len(globs) == 1 and is_literal(globs[0]):
            seen |= {other: (value,) for other, value in belonging.get((name, globs[0]), {}).items()}
    return {**seen, **dict(limits)}


def _above(
    limits: Limits, known: Mapping[str, tuple[str, ...]], shapes: Iterable[tuple[str, ...]],
    several: Iterable[Limits], places: Mapping[Limits, Place],
) -> Iterator[Limits]:  # fmt: skip
    """The coarser places whose calls hold all of these."""
    yield ()
    for shape in shapes:
        if known.keys() >= set(shape):
            same = tuple((name, known[name]) for name in shape)
            if same in places and _fineness(same) < _fineness(limits):
                yield same
    for each in several:
        if all(name in known and covers_all(globs, known[name]) for name, globs in each):
            yield each


def _is_of_several(limits: Limits) -> bool:
    return any(len(globs) > 1 or not is_literal(globs[0]) for _, globs in limits)


def _name(limits: Limits, above: Limits) -> str:
    said = dict(above)
    own = [(name, globs) for name, globs in limits if said.get(name) != globs] or list(limits)
    return ", ".join(
        f"{name} {' or '.join('unknown' if each == NONE else each for each in globs)}" for name, globs in own
    )


def _count(place: Place) -> None:
    """What there is at a place and below it, the fullest first."""
    for each in place.below:
        _count(each)
    place.lines.sort(key=lambda each: (-each.percent, each.budget.policy, each.budget.rule))
    place.below.sort(key=lambda each: (-each.percent, each.name))
    place.places = sum(1 + each.places for each in place.below)
    place.percent = max([0.0, *(each.percent for each in place.lines), *(each.percent for each in place.below)])
    own: list[Mark] = [each.mark for each in place.lines if each.counter]
    place.marks = {
        mark: own.count(mark) + sum(each.marks[mark] for each in place.below) for mark in ("approaching", "over")
    }


def _cut(place: Place, depth: int, most: int, further: int) -> None:
    place.is_open = depth < OPEN_TO or any(place.marks.values())
    place.more = max(0, len(place.below) - most)
    place.below = place.below[:most]
    for each in place.below:
        _cut(each, depth + 1, further, further)


def window_words(window: Mapping[str, object]) -> str:
    """What a budget's window is: ``a month, Europe/Berlin``."""
    if "rolling" in window:
        return f"the last {window['rolling']}"
    if "calendar" in window:
        return f"a {window['calendar']}, {window.get('timezone', 'UTC')}"
    return "in all"


def without_words(budget: BudgetDocument) -> str:
    """What its policy leaves out."""
    left: Iterable[tuple[str, Sequence[str]]] = budget.scope.get("exclude", {}).items()
    return ", ".join(f"{name} {' or '.join(globs)}" for name, globs in left)
