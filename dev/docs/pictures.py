"""The pictures of the concepts."""

from collections.abc import Iterable
from itertools import accumulate

from dev.docs.drawing import BLUE, GREEN, INK, RED, SOFT, Box, line, picture, text
from dev.docs.life import life

_CAP, _CALLS = 10, (4, 4, 4, 1)
"""The example of the two loops: a cap of $10 and four calls."""


def windows() -> str:
    """A calendar, a rolling and a lifetime window around the same call."""
    call = 520
    rows = ((40, "calendar", 380, 660, "the month, [start, end) in its time zone"),
            (110, "rolling", 240, call + 10, "the call's own bucket and the 239 before it"),
            (180, "lifetime", 110, 690, "everything"))  # fmt: skip
    parts = [Box(start, y, end - start, 40, words, BLUE).svg() + text(16, y + 25, name)
             for y, name, start, end, words in rows]  # fmt: skip
    marks = [line(call, 26, call, 236, RED, dashed=True), text(call, 252, "the call's time", RED, "middle")]
    return picture(720, 270, "Which earlier calls a window holds: calendar, rolling and lifetime", parts + marks)


def loops() -> str:
    """What the two counters hold after each of four calls, and what the closed one leaves out."""
    opened = list(accumulate(_CALLS))
    closed, denied = closed_loop(_CALLS, _CAP)
    base, scale, parts = 220, 13, []
    for number, cost in enumerate(_CALLS):
        x, verdict = 120 + number * 145, "deny" if denied[number] else "approve"
        parts += [
            _bar(x, base, opened[number] * scale, BLUE), _bar(x + 45, base, closed[number] * scale, GREEN),
            text(x + 40, base + 20, f"call of ${cost}", INK, "middle"),
            text(x + 40, base + 38, verdict, RED if denied[number] else GREEN, "middle"),
            text(x + 18, base - opened[number] * scale - 6, f"${opened[number]}", BLUE, "middle"),
            text(x + 63, base - closed[number] * scale - 6, f"${closed[number]}", GREEN, "middle"),
        ]  # fmt: skip
    cap = base - _CAP * scale
    parts += [line(100, cap, 700, cap, RED, dashed=True), text(16, cap + 5, f"cap ${_CAP}", RED),
              line(100, base, 700, base), text(16, 276, "left bar: recorded (open loop): what was spent", BLUE),
              text(370, 276, "right bar: admitted (closed loop): had it been enforced", GREEN)]  # fmt: skip
    return picture(740, 292, "Four calls under a cap of $10, counted by both loops", parts)


def closed_loop(calls: Iterable[int], cap: int) -> tuple[list[int], list[bool]]:
    """What is admitted after each call, and whether the call was denied: ``admitted + cost > cap``."""
    admitted, sums, denied = 0, [], []
    for cost in calls:
        over = admitted + cost > cap
        admitted += 0 if over else cost
        sums.append(admitted)
        denied.append(over)
    return sums, denied


def gate() -> str:
    """From a draft to enforcement and back."""
    names = (("draft", SOFT), ("simulated", SOFT), ("shadow", BLUE), ("gate open", GREEN), ("enforced", RED))
    boxes = [Box(20 + n * 148, 60, 104, 44, name, colour).svg() for n, (name, colour) in enumerate(names)]
    steps = ("over the ledger", "another approves", "reconciled", "two people")
    arrows = [line(126 + n * 148, 82, 164 + n * 148, 82, arrow=True) + text(145 + n * 148, 46, step, SOFT, "middle")
              for n, step in enumerate(steps)]  # fmt: skip
    back = [line(664, 106, 664, 150), line(664, 150, 368, 150), line(368, 150, 368, 110, arrow=True),
            text(516, 170, "one person, or a difference that comes back", SOFT, "middle")]  # fmt: skip
    return picture(740, 190, "Draft, simulated, shadow, gate open, enforced; and back to shadow", boxes + arrows + back)


def _bar(x: int, base: int, height: int, colour: str) -> str:
    return f'<rect x="{x}" y="{base - height}" width="36" height="{height}" fill="{colour}" opacity="0.85"/>'


def all_of_them() -> dict[str, str]:
    """By name."""
    return {"windows": windows(), "loops": loops(), "gate": gate(), "life": life()}
