"""What a reader is told about a file besides its bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from spendgate.ledger.reader_problem import FIELD_TYPES, InputError
from spendgate.model.text import EXPECTED, echo_field, is_name

Format = Literal["auto", "jsonl", "csv", "azure", "parquet", "litellm", "otel", "cloudevents"]
COST_USD = "cost_usd"
"""A target of a mapping besides the fields of an event: decimal dollars, converted exactly."""
DEFAULT_TENANT = "default"
DEFAULT_SOURCE = "file"


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """``tenant``: whose events these are, whatever the rows say; None: as they say, else ``default``.

    ``source``: for rows that name none. ``mapping``: event field (or ``cost_usd``) to column of a CSV or Parquet
    file, or to what else a format can be asked for (docs/formats.md). ``seed``: of the rule that gives the calls of
    an Azure trace their owners. ``strict``: the first row that cannot be read ends the reading. Raises InputError
    on an unknown format, and on a tenant or source that no event could carry.
    """

    tenant: str | None = None
    source: str = DEFAULT_SOURCE
    mapping: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    format: Format = "auto"
    strict: bool = False

    def __post_init__(self) -> None:
        for what, text in (("tenant", self.tenant), ("source", self.source)):
            if text is not None and not is_name(text):
                raise InputError(f"{what}: expected {EXPECTED}")
        if self.format not in get_args(Format):
            raise InputError(f"format: expected one of {', '.join(get_args(Format))}")


def read_options(
    tenant: str | None, source: str, mapping: str, seed: int, file_format: str, *, strict: bool = False
) -> ReadOptions:
    """The options from what a command line says. Raises InputError."""
    if file_format not in get_args(Format):
        raise InputError(f"format: expected one of {', '.join(get_args(Format))}")
    known: Format = file_format  # type: ignore[assignment]  # (just looked up)
    return ReadOptions(tenant, source, parse_mapping(mapping), seed, known, strict)


def parse_mapping(text: str) -> dict[str, str]:
    """``cost_usd=Cost,team=Team`` as event field to column.

    Raises InputError on an unknown field, one given twice, or a pair without ``=``.
    """
    mapping: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, sign, column = (part.strip() for part in pair.partition("="))
        if not (sign and column):
            raise InputError("map: expected field=Column pairs, such as cost_usd=Cost,team=Team")
        if name != COST_USD and name not in FIELD_TYPES:
            raise InputError(f"map: {echo_field(name)}: expected a field of the event's schema, or {COST_USD}")
        if name in mapping:
            raise InputError(f"map: {name}: expected once")
        mapping[name] = column
    return mapping
