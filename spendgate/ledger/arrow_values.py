"""Arrow columns as Python values, quickly: instants by way of numpy, texts that repeat by way of a dictionary."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


def values_of(column: pa.Array) -> list[Any]:
    """The column's values; instants are aware, in UTC."""
    if pa.types.is_timestamp(column.type):
        return _instants(column)
    if pa.types.is_string(column.type):
        column = column.dictionary_encode()
    if pa.types.is_dictionary(column.type):
        known = [*column.dictionary.to_pylist(), None]
        places = pc.fill_null(column.indices, len(known) - 1).to_numpy(zero_copy_only=False).tolist()
        return [known[place] for place in places]
    found: list[Any] = column.to_pylist()
    return found


def dictionary_of(column: pa.Array) -> tuple[npt.NDArray[np.int64], list[str | None]]:
    """A column of strings as codes and what they stand for; None stands last."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    values = column.dictionary.to_pylist()
    codes = pc.fill_null(column.indices, pa.scalar(len(values), column.indices.type))
    return codes.to_numpy(zero_copy_only=False).astype(np.int64), [*values, None]


def _instants(column: pa.Array) -> list[datetime | None]:
    naive = column.cast(pa.timestamp("us", "UTC")).to_numpy(zero_copy_only=False).tolist()
    return [None if value is None else value.replace(tzinfo=UTC) for value in naive]
