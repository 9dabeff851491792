"""The names of what can be exported, and how; no Arrow here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from spendgate.ledger.reader_problem import InputError

Exported = Literal["events", "decisions"]
Format = Literal["parquet", "csv", "jsonl", "focus", "focus-parquet"]
"""``focus`` is CSV."""
Grain = Literal["day", "hour", "call"]
"""What a row of a FOCUS cost export stands for."""

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
