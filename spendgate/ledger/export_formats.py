"""The names of what can be exported, and how; no Arrow here."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from spendgate.ledger.reader_problem import InputError
from spendgate.model.text import echo_field

Exported = Literal["events", "decisions"]
Format = Literal["parquet", "csv", "jsonl", "focus", "focus-parquet"]
"""``focus`` is CSV."""
Grain = Literal["day", "hour", "call"]
"""What a row of a FOCUS cost export stands for."""

BY_COLUMN: Mapping[Exported, tuple[str, ...]] = {
    "events": (
        "team", "employee", "customer", "project", "workflow", "agent", "vendor", "model", "source", "id",
    ),
    "decisions": ("verdict", "source", "event_id"),
}  # fmt: skip
"""The columns that people filter a table by."""
BY_REASON: Mapping[Exported, tuple[str, ...]] = {"events": (), "decisions": ("policy", "staging", "code")}
"""The fields of a reason that people filter by."""

EXPORTED: tuple[Exported, ...] = ("events", "decisions")
ENDINGS: Mapping[Format, str] = {
    "parquet": ".parquet", "csv": ".csv", "jsonl": ".jsonl", "focus": ".csv", "focus-parquet": ".parquet",
}  # fmt: skip
_PARQUET, _CSV = "application/vnd.apache.parquet", "text/csv; charset=utf-8"
MEDIA_TYPES: Mapping[Format, str] = {
    "parquet": _PARQUET, "csv": _CSV, "jsonl": "application/x-ndjson", "focus": _CSV, "focus-parquet": _PARQUET,
}  # fmt: skip


def format_of(path: Path, said: str | None = None) -> Format:
    """The format by what was said, else by the file's name. Raises InputError for what is none.

    ``focus`` in a file whose name ends in ``.parquet`` is Parquet.
    """
    ending = path.suffix.lower()
    if said == "focus" and ending == ENDINGS["focus-parquet"]:
        return "focus-parquet"
    for name, its in ENDINGS.items():
        if said == name or (said is None and ending == its):
            return name
    if said is not None:
        raise InputError(f"format: expected one of {', '.join(ENDINGS)}")
    raise InputError("out: expected a name that ends in .parquet, .csv or .jsonl")


def check_filters(table: Exported, names: Iterable[str]) -> None:
    """Raises InputError for a name that the table is not filtered by."""
    known = (*BY_COLUMN[table], *BY_REASON[table])
    if unknown := next((name for name in names if name not in known), None):
        raise InputError(f"where: {echo_field(unknown)}: expected one of {', '.join(known)}")
