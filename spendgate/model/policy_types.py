"""The field types of a policy: what each accepts, in words for the error and as a pattern for the schema."""

import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from spendgate.model.event import SCOPE_FIELDS
from spendgate.model.money import MoneyError, parse_usd
from spendgate.model.text import ALLOWED_CHARS, EXPECTED, MAX_CHARS, NONE, is_name
from spendgate.model.zones import UnknownZone, load_zone

Severity = Literal["warn", "review", "deny"]
ScopeField = Literal["team", "employee", "customer", "project", "workflow", "agent", "model", "vendor"]
EvidenceStatus = Literal["present", "missing", "failed", "not_applicable"]
_T = TypeVar("_T")
MAX_GLOBS = 10_000
MAX_ROLLING_MINUTES = 400 * 24 * 60


def _class_of(chars: str) -> str:
    """A regular expression's character class of ``chars``, as ranges; ECMA-262 and Python read it alike."""
    runs: list[list[str]] = []
    for char in sorted(chars):
        if runs and ord(char) == ord(runs[-1][-1]) + 1:
            runs[-1][1:] = [char]
        else:
            runs.append([char])
    escaped = [[f"\\{c}" if c in "[]^\\-" else c for c in run] for run in runs]
    return f"[{''.join('-'.join(run) for run in escaped)}]"


NAME_PATTERN = f"^{_class_of(ALLOWED_CHARS)}{{1,{MAX_CHARS}}}$(?!\\n)"
"""The stated set of ``spendgate.model.text`` as a regular expression."""
GLOB_PATTERN = f"{NAME_PATTERN}|^{re.escape(NONE)}$"
USD_PATTERN = r"^[0-9]{1,12}(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,2})?$"
"""At most 24 digits: ``parse_usd`` multiplies in 28, so nothing that passes here is ever rounded."""
DURATION_PATTERN = r"^[1-9][0-9]{0,5}[mhd]$"
MINUTES_PER_UNIT = {"m": 1, "h": 60, "d": 1440}

_USD = re.compile(USD_PATTERN, re.ASCII)
_DURATION = re.compile(DURATION_PATTERN, re.ASCII)


def _name(text: str) -> str:
    if not is_name(text):
        raise ValueError(f"expected {EXPECTED}")
    return text


def _glob(text: str) -> str:
    if text != NONE and not is_name(text):
        raise ValueError(f"expected '{NONE}' or a glob of {EXPECTED}")
    return text


def _usd(text: str) -> str:
    if not _USD.fullmatch(text):
        raise ValueError('expected dollars as a decimal, such as "500" or "0.25"')
    try:
        parse_usd(text)
    except MoneyError as error:
        raise ValueError(str(error)) from None
    return text


def minutes_of(duration: str) -> int:
    """The whole minutes of a duration such as ``90m``, ``24h`` or ``7d``."""
    return int(duration[:-1]) * MINUTES_PER_UNIT[duration[-1]]


def _duration(text: str) -> str:
    if not _DURATION.fullmatch(text):
        raise ValueError("expected whole minutes, hours or days, such as 90m, 24h or 7d")
    if minutes_of(text) > MAX_ROLLING_MINUTES:
        raise ValueError("expected at most 400d")
    return text


def _timezone(text: str) -> str:
    try:
        load_zone(text)
    except UnknownZone as error:
        raise ValueError(str(error)) from None
    return text


def _prose(text: str) -> str:
    if not text.replace("\n", "").isprintable():
        raise ValueError("expected printable text")
    return text


def _distinct(values: list[_T]) -> list[_T]:
    if len(set(values)) != len(values):
        raise ValueError("expected no entry twice")
    return values


def _in_scope_order(fields: list[ScopeField]) -> list[ScopeField]:
    """The order of ``per`` means nothing; one order keeps counter keys alike however it was written."""
    return sorted(_distinct(fields), key=SCOPE_FIELDS.index)


def _ascending(percents: list[int]) -> list[int]:
    return sorted(_distinct(percents))


def _true(value: Any) -> bool:
    if value is not True:
        raise ValueError("expected true")
    return True


PolicyName = Annotated[str, AfterValidator(_name), Field(json_schema_extra={"pattern": NAME_PATTERN})]
Glob = Annotated[str, AfterValidator(_glob), Field(json_schema_extra={"pattern": GLOB_PATTERN})]
Globs = Annotated[list[Glob], Field(min_length=1, max_length=MAX_GLOBS)]
Usd = Annotated[str, AfterValidator(_usd), Field(json_schema_extra={"pattern": USD_PATTERN})]
"""Dollars as a decimal string, at most nine decimals."""
Duration = Annotated[str, AfterValidator(_duration), Field(json_schema_extra={"pattern": DURATION_PATTERN})]
"""Whole minutes, hours or days, at most 400 days."""
TimeZone = Annotated[str, AfterValidator(_timezone)]
"""An IANA time zone of the pinned tzdata."""
Prose = Annotated[str, Field(max_length=500), AfterValidator(_prose)]
Always = Annotated[Literal[True], BeforeValidator(_true)]
"""``true`` and nothing that merely equals it, such as 1."""
Tokens = Annotated[int, Field(ge=0, le=2**53 - 1, strict=True)]
Percent = Annotated[int, Field(ge=1, le=100, strict=True)]
Percents = Annotated[
    list[Percent], Field(max_length=8, json_schema_extra={"uniqueItems": True}), AfterValidator(_ascending)
]
"""Warn thresholds, ascending however they were written."""
PerFields = Annotated[list[ScopeField], Field(json_schema_extra={"uniqueItems": True}), AfterValidator(_in_scope_order)]
"""The fields of a counter, in the order of ``SCOPE_FIELDS`` however they were written."""
