"""Money is an integer of nano-USD; people read and write decimal dollars, converted here and nowhere else."""

import re
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

NANO_PER_USD = 1_000_000_000
MAX_COST_NANO_USD = 2**53 - 1
"""An event's cost is below 2^53: exact in every JSON reader, doubles included."""
MAX_CAP_NANO_USD = 2**62 - 1
"""A cap is below 2^62, so that a cap and a cost add up inside a signed 64-bit integer."""


DECIMALS = 9
_PLAIN = re.compile(r"([0-9]{1,30})(?:\.([0-9]{1,60}))?(?:[eE]([+-]?[0-9]{1,2}))?", re.ASCII)
_SIGNED = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{0,60})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_MAX_DIGITS = 100


class MoneyError(ValueError):
    """Text that is no amount of dollars. The message says what was expected and never repeats the text."""


def parse_usd(text: str) -> int:
    """Decimal dollars, such as ``"500"`` or ``"0.000000001"``, as nano-USD.

    Raises MoneyError for what is not a plain decimal, is negative, has more than nine decimals,
    or is not below 2^62 nano-USD.
    """
    match = _PLAIN.fullmatch(text)
    if match is None:
        if text.startswith("-") and _PLAIN.fullmatch(text[1:]):
            raise MoneyError("expected dollars that are zero or more")
        raise MoneyError("expected dollars as a decimal, such as '500' or '0.25'")
    whole, fraction, exponent = match.group(1), match.group(2) or "", int(match.group(3) or 0)
    places = exponent + DECIMALS - len(fraction)
    scale: int = 10 ** abs(places)
    digits = int(whole + fraction)
    nano_usd, rest = (digits * scale, 0) if places >= 0 else divmod(digits, scale)
    if rest:
        raise MoneyError("expected at most nine decimals, for money is counted in nano-USD")
    if nano_usd > MAX_CAP_NANO_USD:
        raise MoneyError("expected less than 2^62 nano-USD (about 4.6 billion dollars)")
    return nano_usd


def format_usd(nano_usd: int, decimals: int = 2) -> str:
    """Nano-USD as dollars for people, such as ``$1,234.50``; rounded half to even."""
    amount = (Decimal(nano_usd) / NANO_PER_USD).quantize(Decimal(1).scaleb(-decimals))
    sign = "-" if amount < 0 else ""
    return f"{sign}${abs(amount):,}"


def percent_of_nano_usd(percent: int, cap_nano_usd: int) -> int:
    """``ceil(percent * cap / 100)`` in nano-USD, exactly."""
    return -(-percent * cap_nano_usd // 100)


def nano_usd_of(value: object) -> int:
    """Dollars that a source holds as a number (or its text) as nano-USD, half to even, negative ones too.

    A float stands for its shortest decimal text, so a source's ``0.00022500000000000002`` is 225,000. Raises
    MoneyError for what is no number, and for one of a billion dollars or more.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = repr(value)
    if isinstance(value, str) and _SIGNED.fullmatch(value.strip()):
        value = Decimal(value.strip())
    if not isinstance(value, Decimal) or not value.is_finite() or len(value.as_tuple().digits) > _MAX_DIGITS:
        raise MoneyError("expected dollars as a decimal, such as '500' or '0.25'")
    if not value or value.adjusted() < -_MAX_DIGITS:
        return 0
    if value.adjusted() >= DECIMALS:
        raise MoneyError("expected less than a billion dollars")
    with localcontext(prec=2 * _MAX_DIGITS):
        return int(value.scaleb(DECIMALS).to_integral_value(ROUND_HALF_EVEN))
