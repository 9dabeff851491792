"""Helicone's ``Helicone-RateLimit-Policy`` header: ``[quota];w=[seconds];u=[request|cents];s=[user|property]``.

Format: docs.helicone.ai, "Custom LLM Rate Limits". The unit is requests unless it says cents, and without a segment
the limit is one for the whole organization.
"""

from collections.abc import Mapping

from spendgate.importers.carrying import Carrying
from spendgate.importers.drafting import Drafts, Imported, budget_rules
from spendgate.importers.reading import NotImportable
from spendgate.importers.values import field_of, nano_of
from spendgate.importers.windows import WindowFound, rolling
from spendgate.model.money import NANO_PER_USD

HEADER = "helicone-ratelimit-policy"
EXPECTED = "expected [quota];w=[seconds];u=[request|cents];s=[user|property]"
MAX_CHARS = 1000
_CENT_NANO_USD = NANO_PER_USD // 100
_UNITS = {"cents", "request"}
_ROLLS = "here the window rolls in 240 buckets"


def import_helicone(header: str, mapping: Mapping[str, str]) -> Imported:
    """The policy of one header, its name (``Helicone-RateLimit-Policy:``) and quotes being optional.

    ``mapping`` names the scope field of a custom property. Raises NotImportable for what is no such header.
    """
    carrying, drafts = Carrying({**_parts(header)}), Drafts("helicone")
    _carry(carrying, drafts, mapping)
    return drafts.imported(carrying)


def _parts(header: str) -> dict[str, str]:
    """The header's parts, the quota under ``quota``."""
    text = header.strip()
    if text.casefold().startswith(HEADER):
        text = text[len(HEADER) :].lstrip().removeprefix(":")
    pieces = [piece.strip() for piece in text.strip().strip("\"'").split(";")]
    pairs = [("quota", pieces[0]), *(_pair(piece) for piece in pieces[1:] if piece)]
    if len(text) > MAX_CHARS or not pieces[0] or len(dict(pairs)) != len(pairs) or "w" not in dict(pairs):
        raise NotImportable(EXPECTED)
    return dict(pairs)


def _pair(piece: str) -> tuple[str, str]:
    name, equals, value = piece.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise NotImportable(EXPECTED)
    return name.strip(), value.strip()


def _carry(carrying: Carrying, drafts: Drafts, mapping: Mapping[str, str]) -> None:
    quota, seconds, unit, segment = (carrying.at((name,)) for name in ("quota", "w", "u", "s"))
    cap = nano_of(quota, _CENT_NANO_USD)
    if cap is None or unit not in (None, *_UNITS):
        raise NotImportable(EXPECTED)
    window = _window(seconds)
    if unit != "cents":
        carrying.leave((), "counts requests, not money")
        return
    field = field_of(segment, mapping) if isinstance(segment, str) else None
    if segment is not None and field is None:
        carrying.leave((), "a policy's scope has no such property; name the field that it stands in with --map")
        return
    if window is None:
        carrying.leave((), "expected a window of at most 400 days")
        return
    _add(carrying, drafts, cap, window, field)


def _window(seconds: object) -> WindowFound | None:
    if not isinstance(seconds, str) or not seconds.isascii() or not seconds.isdecimal() or len(seconds) > 9:
        raise NotImportable(EXPECTED)
    return rolling(int(seconds), _ROLLS)


def _add(carrying: Carrying, drafts: Drafts, cap: int, window: WindowFound, field: str | None) -> None:
    paths = [(name,) for name in ("quota", "w", "u", "s") if carrying.has((name,))]
    carrying.carry(*paths)
    if window.differs:
        carrying.approximate(("w",), window.differs)
    per = [field] if field else []
    if field:
        carrying.approximate(("s",), f"calls whose {field} is not known are not counted")
    scope = {field: ["*"]} if field else {}
    drafts.add([f"per-{field}" if field else "all"], scope, budget_rules(cap, None, window.window, per), paths)
