"""The pictures of the concepts, as SVG on a card of its own colour, so that they read on a light and on a dark page."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

_INK, _SOFT, _CARD, _BLUE, _RED, _GREEN = "#1f2933", "#52606d", "#f5f7fa", "#1f5fbf", "#b42318", "#1e7145"
_CAP, _CALLS = 10, (4, 4, 4, 1)
"""The example of the two loops: a cap of $10 and four calls."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with words in it."""

    x: int
    y: int
    width: int
    height: int
    words: str
    colour: str = _BLUE
    dashed: bool = False

    def svg(self) -> str:
        dash = ' stroke-dasharray="5 4"' if self.dashed else ""
        return (
            f'<rect x="{self.x}" y="{self.y}" width="{self.width}" height="{self.height}" rx="5" fill="#ffffff" '
            f'stroke="{self.colour}" stroke-width="2"{dash}/>'
            + text(self.x + self.width // 2, self.y + self.height // 2 + 5, self.words, self.colour, "middle")
        )


def text(x: int, y: int, words: str, colour: str = _INK, anchor: str = "start") -> str:
    """One line of text."""
    return f'<text x="{x}" y="{y}" fill="{colour}" text-anchor="{anchor}">{words}</text>'


def line(x1: int, y1: int, x2: int, y2: int, colour: str = _SOFT, *, arrow: bool = False, dashed: bool = False) -> str:
    """A straight line."""
    extra = (' marker-end="url(#arrow)"' if arrow else "") + (' stroke-dasharray="5 4"' if dashed else "")
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}" stroke-width="2"{extra}/>'


def picture(width: int, height: int, title: str, parts: Iterable[str]) -> str:
    """A whole document; ``title`` is what a screen reader says."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="14"><title>{title}</title>'
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{_SOFT}"/></marker></defs>'
        f'<rect width="{width}" height="{height}" rx="10" fill="{_CARD}"/>' + "".join(parts) + "</svg>\n"
    )


def windows() -> str:
    """A calendar, a rolling and a lifetime window around the same call."""
    call = 520
    rows = ((40, "calendar", 380, 660, "the month, [start, end) in its time zone"),
            (110, "rolling", 240, call + 10, "the call's own bucket and the 239 before it"),
            (180, "lifetime", 110, 690, "everything"))  # fmt: skip
    parts = [Box(start, y, end - start, 40, words, _BLUE).svg() + text(16, y + 25, name)
             for y, name, start, end, words in rows]  # fmt: skip
    marks = [line(call, 26, call, 236, _RED, dashed=True), text(call, 252, "the call's time", _RED, "middle")]
    return picture(720, 270, "Which earlier calls a window holds: calendar, rolling and lifetime", parts + marks)


def loops() -> str:
    """What the two counters hold after each of four calls, and what the closed one leaves out."""
    opened = list(accumulate(_CALLS))
    closed, denied = closed_loop(_CALLS, _CAP)
    base, scale, parts = 220, 13, []
    for number, cost in enumerate(_CALLS):
        x, verdict = 120 + number * 145, "deny" if denied[number] else "approve"
        parts += [
            _bar(x, base, opened[number] * scale, _BLUE), _bar(x + 45, base, closed[number] * scale, _GREEN),
            text(x + 40, base + 20, f"call of ${cost}", _INK, "middle"),
            text(x + 40, base + 38, verdict, _RED if denied[number] else _GREEN, "middle"),
            text(x + 18, base - opened[number] * scale - 6, f"${opened[number]}", _BLUE, "middle"),
            text(x + 63, base - closed[number] * scale - 6, f"${closed[number]}", _GREEN, "middle"),
        ]  # fmt: skip
    cap = base - _CAP * scale
    parts += [line(100, cap, 700, cap, _RED, dashed=True), text(16, cap + 5, f"cap ${_CAP}", _RED),
              line(100, base, 700, base), text(16, 276, "left bar: recorded (open loop): what was spent", _BLUE),
              text(370, 276, "right bar: admitted (closed loop): had it been enforced", _GREEN)]  # fmt: skip
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
    names = (("draft", _SOFT), ("simulated", _SOFT), ("shadow", _BLUE), ("gate open", _GREEN), ("enforced", _RED))
    boxes = [Box(20 + n * 148, 60, 104, 44, name, colour).svg() for n, (name, colour) in enumerate(names)]
    steps = ("over the ledger", "another approves", "reconciled", "two people")
    arrows = [line(126 + n * 148, 82, 164 + n * 148, 82, arrow=True) + text(145 + n * 148, 46, step, _SOFT, "middle")
              for n, step in enumerate(steps)]  # fmt: skip
    back = [line(664, 106, 664, 150), line(664, 150, 368, 150), line(368, 150, 368, 110, arrow=True),
            text(516, 170, "one person, or a difference that comes back", _SOFT, "middle")]  # fmt: skip
    return picture(740, 190, "Draft, simulated, shadow, gate open, enforced; and back to shadow", boxes + arrows + back)


def _bar(x: int, base: int, height: int, colour: str) -> str:
    return f'<rect x="{x}" y="{base - height}" width="36" height="{height}" fill="{colour}" opacity="0.85"/>'


def all_of_them() -> dict[str, str]:
    """By name."""
    return {"windows": windows(), "loops": loops(), "gate": gate()}
