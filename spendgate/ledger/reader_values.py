"""Values of other people's files as values of an event: names, labels, counts, instants, dollars."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import msgspec

from spendgate.ledger.reader_problem import EXPECTED_OF, RowProblem
from spendgate.model.money import MAX_COST_NANO_USD, MoneyError, nano_usd_of
from spendgate.model.text import ALLOWED_CHARS, EXPECTED, MAX_CHARS, is_name
from spendgate.model.unreadable import UNREADABLE

LABELS = ("team", "employee", "customer", "project", "feature", "workflow", "agent", "task")
"""Fields that hold a name which people chose: written with percent codes where it needs them (decision 0008)."""
MAX_COUNT = 2**53 - 1
_KEPT = frozenset(ALLOWED_CHARS) - {"%"}
_DIGITS = re.compile(r"[0-9]{1,16}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_SECONDS_DIGITS = 12
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


@lru_cache(4096)
def encode_label(text: str) -> str:
    """The label in the stated set of strings: each other character, and ``%``, as the codes of its UTF-8 bytes.

    No two labels give the same; ``Customer Success`` gives ``Customer%20Success``.
    """
    return "".join(c if c in _KEPT else _codes(c) for c in text)


def _codes(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))


def label(value: object, field: str) -> str | None:
    """A label, encoded; None for an unknown one. Raises RowProblem where it is too long or no text."""
    text = _text(value, field)
    if text is None or not text.strip():
        return None
    encoded = encode_label(text)
    if len(encoded) > MAX_CHARS:
        raise RowProblem(field, f"a name of at most {MAX_CHARS} characters, percent codes included")
    return encoded


def name(value: object, field: str) -> str | None:
    """A name as it stands; None for an unknown one. Raises RowProblem where no event could carry it."""
    text = _text(value, field)
    if text is not None and not is_name(text):
        raise RowProblem(field, EXPECTED)
    return text


def _text(value: object, field: str) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise RowProblem(field, EXPECTED)


def count(value: object, field: str) -> int | None:
    """A whole number, also as text or as a decimal without a fraction. Raises RowProblem."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    elif isinstance(value, (float, Decimal)):
        value = _whole(value)
    if type(value) is int and 0 <= value <= MAX_COUNT:
        return value
    raise RowProblem(field, EXPECTED_OF["input_tokens"])


def _whole(value: float | Decimal) -> int | None:
    number = Decimal(repr(value)) if isinstance(value, float) else value
    if not number.is_finite() or abs(number.adjusted()) > 30 or number != number.to_integral_value():
        return None
    return int(number)


def cost(value: object, field: str) -> int | None:
    """Dollars as nano-USD, half to even, by their decimal digits. Raises RowProblem."""
    if value is None or value == "":
        return None
    try:
        cost_nano_usd = nano_usd_of(value)
    except MoneyError as error:
        raise RowProblem(field, str(error).removeprefix("expected ")) from None
    if not 0 <= cost_nano_usd <= MAX_COST_NANO_USD:
        raise RowProblem(field, "dollars from 0 to less than 2^53 nano-USD (about 9 million dollars)")
    return cost_nano_usd


def readable_cost(value: object) -> int | None:
    """The same for a row that is refused anyway: None where there is no cost to be read."""
    try:
        return cost(value, "")
    except RowProblem:
        return None


def instant(value: object, field: str) -> datetime:
    """An instant from ISO 8601 text (UTC where it names no offset) or seconds since 1970. Raises RowProblem."""
    try:
        if isinstance(value, datetime):
            return _utc(value)
        if isinstance(value, str):
            return _utc(datetime.fromisoformat(value.strip()))
        if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
            return _EPOCH + timedelta(microseconds=_micros(value))
    except (ValueError, OverflowError):
        pass
    raise RowProblem(field, "an ISO 8601 time, or seconds since 1970")


def _micros(seconds: float | Decimal) -> int:
    """Whole microseconds. Raises OverflowError for more than any instant has, before they are worked out."""
    number = Decimal(repr(seconds) if isinstance(seconds, float) else seconds)
    if not number.is_finite() or number.adjusted() > _MOST_SECONDS_DIGITS:
        raise OverflowError
    return int(number * 1_000_000)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def truth(value: object, field: str) -> bool | None:
    """True or false, also as text; ``None`` as text is unknown. Raises RowProblem."""
    if value is None or value in ("", "None", "null") or isinstance(value, bool):
        return value if isinstance(value, bool) else None
    known = _TRUTH.get(str(value).lower())
    if known is None:
        raise RowProblem(field, "true or false")
    return known


def mapping(value: object, field: str) -> Mapping[str, Any]:
    """A JSON object, also as text; empty where there is none. Raises RowProblem."""
    if value is None or value == "":
        return {}
    value = _json(value, field, "a JSON object")
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise RowProblem(field, "a JSON object")


def listing(value: object, field: str) -> list[Any]:
    """A JSON array, also as text; empty where there is none. Raises RowProblem."""
    if value is None or value == "":
        return []
    value = _json(value, field, "a JSON array")
    if isinstance(value, list):
        return value
    return []


def _json(value: object, field: str, expected: str) -> object:
    if not isinstance(value, str):
        return value
    try:
        return _decode(value)
    except (*UNREADABLE, UnicodeEncodeError, InvalidOperation):
        raise RowProblem(field, expected) from None


def all_input(given: int | None, cached: int | None, written: int | None) -> int | None:
    """All input tokens, cached ones included.

    A count that is less than its own parts does not hold them (Anthropic's own usage counts them beside): then
    they are added.
    """
    parts = (cached or 0) + (written or 0)
    return given if given is None or given >= parts else given + parts
