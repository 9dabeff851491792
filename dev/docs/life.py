"""The life of a policy as a picture, made from the table of legal moves; a state that has no place here is an error."""

from collections.abc import Iterator, Mapping

from dev.docs.drawing import BLUE, GREEN, RED, SOFT, Box, line, picture, text
from policy_store.lifecycle import MOVES, State

WIDTH, HEIGHT, _STEP = 100, 40, 174
_ROWS: Mapping[int, tuple[State | None, ...]] = {
    120: ("draft", "simulated", "submitted", "shadow", "reconciled", "enforced"),
    260: (None, None, "declined", None, "retired"),
}
"""By the height of a row, its states."""
PLACES: Mapping[State, tuple[int, int]] = {
    state: (20 + at * _STEP, y) for y, row in _ROWS.items() for at, state in enumerate(row) if state is not None
}
"""The upper left corner of each."""
_COLOURS: Mapping[State, str] = {"enforced": RED, "reconciled": GREEN, "shadow": BLUE}


def moves() -> dict[tuple[State, State], str]:
    """What leads from one state to another, those that do the same together; an edit makes the first, and a simulated
    version is submitted."""
    found: dict[tuple[State, State], list[str]] = {("simulated", "submitted"): ["submit"]}
    for move in MOVES:
        found.setdefault((move.before, move.after), []).append(move.action)
    return {way: ", ".join(actions) for way, actions in found.items()}


def life() -> str:
    """Every state and every legal move. Raises KeyError for a state without a place."""
    boxes = [Box(x, y, WIDTH, HEIGHT, state, _COLOURS.get(state, SOFT)).svg() for state, (x, y) in PLACES.items()]
    arrows = [part for (before, after), words in moves().items() for part in _arrow(before, after, words)]
    return picture(1010, 330, "The life of a policy: " + _told(), [*boxes, *arrows])


def _told() -> str:
    """For who cannot see it."""
    return "; ".join(f"{before} to {after} by {words}" for (before, after), words in moves().items())


def _arrow(before: State, after: State, words: str) -> Iterator[str]:
    (x1, y1), (x2, y2) = PLACES[before], PLACES[after]
    if before == after:
        yield from _arc(x1 + 20, x1 + WIDTH - 20, y1, 34, words)
    elif y1 != y2:
        yield line(x1 + WIDTH // 2, y1 + HEIGHT, x2 + WIDTH // 2 + (x1 - x2) // 8, y2, arrow=True)
        if x1 == x2:
            yield text(x2 + WIDTH // 2, y2 + HEIGHT + 18, words, SOFT, "middle")
    elif abs(x2 - x1) > _STEP:
        yield from _arc(x1 + WIDTH // 2 + 40, x2 + WIDTH // 2, y1, 76, words)
    elif x2 > x1:
        yield line(x1 + WIDTH, y1 + 12, x2 - 3, y2 + 12, arrow=True)
        yield text((x1 + WIDTH + x2) // 2, y1 + 4, words, SOFT, "middle")
    else:
        yield line(x1, y1 + 28, x2 + WIDTH + 3, y2 + 28, arrow=True)
        yield text((x1 + x2 + WIDTH) // 2, y1 + 50, words, SOFT, "middle")


def _arc(from_: int, to: int, y: int, height: int, words: str) -> Iterator[str]:
    """Over the boxes, from above one to above another."""
    top = y - height
    yield (
        f'<path d="M{from_} {y} V{top} H{to} V{y - 3}" fill="none" stroke="{SOFT}" stroke-width="2" '
        'stroke-linejoin="round" marker-end="url(#arrow)"/>'
    )
    yield text((from_ + to) // 2, top - 6, words, SOFT, "middle")
