"""What the pictures are drawn with: boxes, lines and words, as SVG on a card of its own colour, so that they read on a
light and on a dark page."""

from collections.abc import Iterable
from dataclasses import dataclass

INK, SOFT, CARD, BLUE, RED, GREEN = "#1f2933", "#52606d", "#f5f7fa", "#1f5fbf", "#b42318", "#1e7145"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with words in it."""

    x: int
    y: int
    width: int
    height: int
    words: str
    colour: str = BLUE
    dashed: bool = False

    def svg(self) -> str:
        dash = ' stroke-dasharray="5 4"' if self.dashed else ""
        return (
            f'<rect x="{self.x}" y="{self.y}" width="{self.width}" height="{self.height}" rx="5" fill="#ffffff" '
            f'stroke="{self.colour}" stroke-width="2"{dash}/>'
            + text(self.x + self.width // 2, self.y + self.height // 2 + 5, self.words, self.colour, "middle")
        )


def text(x: int, y: int, words: str, colour: str = INK, anchor: str = "start") -> str:
    """One line of text."""
    return f'<text x="{x}" y="{y}" fill="{colour}" text-anchor="{anchor}">{words}</text>'


def line(x1: int, y1: int, x2: int, y2: int, colour: str = SOFT, *, arrow: bool = False, dashed: bool = False) -> str:
    """A straight line."""
    extra = (' marker-end="url(#arrow)"' if arrow else "") + (' stroke-dasharray="5 4"' if dashed else "")
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}" stroke-width="2"{extra}/>'


def picture(width: int, height: int, title: str, parts: Iterable[str]) -> str:
    """A whole document; ``title`` is what a screen reader says."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="14"><title>{title}</title>'
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{SOFT}"/></marker></defs>'
        f'<rect width="{width}" height="{height}" rx="10" fill="{CARD}"/>' + "".join(parts) + "</svg>\n"
    )
