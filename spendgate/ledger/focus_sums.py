"""Charges of the same period, model and owner in one row; memory is bounded by how many such rows are held.

A row is given out once its period lies so far behind the latest call that hardly any of it can come; one that comes all
the same, and what is held beyond MOST_HELD, makes a second row of the same keys. Sums are right either way.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc

from spendgate.ledger.focus_charges import KEYS, SUMS

HELD_FOR = timedelta(days=4)
"""Later than the late horizon of a tenant's settings, by default 72 h."""
MOST_HELD = 200_000
GIVEN_OUT = 8_192
"""Rows at a time, at most."""
_GATHERED = 50_000


def summed(found: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Rows of KEYS and SUMS, of which every combination of keys comes once but for what the module says, by keys."""
    held, fresh = None, list[pa.Table]()
    for each in found:
        fresh.append(each)
        if sum(part.num_rows for part in fresh) < _GATHERED:
            continue
        held, fresh = _together(held, fresh), []
        done = _is_done(held)
        yield from _sorted(held.filter(done))
        held = held.filter(pc.invert(done))
    if held is not None or fresh:
        yield from _sorted(_together(held, fresh))


def _together(held: pa.Table | None, fresh: list[pa.Table]) -> pa.Table:
    rows = pa.concat_tables([*([] if held is None else [held]), *fresh])
    found = rows.group_by(list(KEYS), use_threads=False).aggregate([(name, "sum") for name in SUMS])
    return found.rename_columns([name.removesuffix("_sum") for name in found.column_names]).select([*KEYS, *SUMS])


def _is_done(held: pa.Table) -> pa.ChunkedArray:
    starts = held["start"]
    bound = pc.subtract(pc.max(starts), pa.scalar(HELD_FOR))
    done = pc.less(starts, bound)
    if held.num_rows - pc.sum(done).as_py() <= MOST_HELD:
        return done
    return pc.less_equal(starts, pc.quantile(starts.cast(pa.int64()), 0.5)[0].cast(pa.int64()).cast(starts.type))


def _sorted(rows: pa.Table) -> Iterator[pa.Table]:
    order = pc.sort_indices(rows, [(name, "ascending") for name in KEYS])
    for at in range(0, len(order), GIVEN_OUT):
        yield rows.take(order.slice(at, GIVEN_OUT))
