"""Dollars as other people's files hold them: numbers with more digits than nine, negative ones on a bill."""

import re
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from spendgate.model.money import DECIMALS, MoneyError

_SIGNED = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{0,60})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_MAX_DIGITS = 100


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
