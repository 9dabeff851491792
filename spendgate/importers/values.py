"""Values of other systems as a policy writes them: dollars, globs of exact names, names of policies, fields."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from spendgate.importers.reading import Data
from spendgate.model.event import SCOPE_FIELDS
from spendgate.model.money import DECIMALS, MAX_CAP_NANO_USD
from spendgate.model.text import MAX_CHARS, NONE, is_name

EXPECTED_USD = "expected dollars that are zero or more, below 2^62 nano-USD, with at most nine decimals"
_DIGITS = 30
_ALIASES = {
    **{name: name for name in SCOPE_FIELDS},
    "user": "employee",
    "end_user": "customer",
    "provider": "vendor",
    "ai_eg_model": "model",
}
_SLUG = re.compile(r"[^a-z0-9._]+")


def nano_of(value: Data, nano_per_unit: int = 10**DECIMALS) -> int | None:
    """An amount in units of so many nano-USD as nano-USD, exactly; None for what is no such amount."""
    amount = _number(value)
    if amount is None or amount.is_signed() or not -_DIGITS < amount.adjusted() < _DIGITS:
        return None
    numerator, denominator = amount.as_integer_ratio()
    nano_usd, rest = divmod(numerator * nano_per_unit, denominator)
    return None if rest or nano_usd > MAX_CAP_NANO_USD else nano_usd


def _number(value: Data) -> Decimal | None:
    """The number that a value is or spells; ``-0`` and ``true`` are none."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str) or len(str(value)) > 2 * _DIGITS:
        return None
    try:
        found = Decimal(value)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def glob_of(value: Data, *, wild: str = "") -> str | None:
    """A glob that matches this text alone (the characters of ``wild`` keep their meaning); None if no event can
    hold such a text."""
    if not isinstance(value, str) or value == NONE or not is_name(value):
        return None
    glob = "".join(f"[{char}]" if char in "*?[" and char not in wild else char for char in value)
    return glob if len(glob) <= MAX_CHARS else None


def field_of(name: str, mapping: Mapping[str, str]) -> str | None:
    """The field of an event that a dimension of another system is: as ``mapping`` says, else by its name."""
    if name in mapping:
        return mapping[name]
    plain = name.casefold().removeprefix("metadata.").strip("_").removeprefix("x-").replace("-", "_")
    return _ALIASES.get(plain.removesuffix("_id"))


def slug_of(text: str) -> str:
    """Text as a part of a policy's name and of a file's."""
    return _SLUG.sub("-", text.casefold()).strip("-.")[:80] or "policy"
