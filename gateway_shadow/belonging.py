"""Which value belongs to which, as calls have shown it: a case to the team that all its calls were of.

Read behind the pages, of a tenant's latest events, now and then; a page waits for none.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import pyarrow as pa
import pyarrow.compute as pc

from gateway_shadow.behind import Behind
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_selection import Reading, Selection
from spendgate.model.event import SCOPE_FIELDS

ROWS, FRESH_FOR_S = 200_000, 60.0
Pair = tuple[str, str]
"""A field and its value."""
Belonging = Mapping[Pair, Mapping[str, str]]
"""By value what all calls with it had in common, by field."""


class Belongings:
    """Of each tenant, as its latest events say."""

    def __init__(self) -> None:
        self._behind: Behind[Belonging] = Behind("belongings", FRESH_FOR_S)

    def of(self, tenant: str, read: Callable[[], AbstractContextManager[Ledger]]) -> Belonging | None:
        """As last read; None while that is done for the first time. Raises what ``read`` raises."""
        return self._behind.of(tenant, lambda _: _read(tenant, read))


def _read(tenant: str, read: Callable[[], AbstractContextManager[Ledger]]) -> Belonging:
    tables, rows = [], 0
    with read() as ledger:
        reading = Reading(ledger, Selection("events", tenant, newest_first=True))
        for piece in reading.pieces():
            tables.append(piece.columns((*SCOPE_FIELDS, "kind")))
            rows += piece.rows
            if rows >= ROWS:
                break
    return belonging_of(pa.concat_tables(tables)) if tables else {}


def belonging_of(rows: pa.Table) -> Belonging:
    """What the rows of calls say: of each value of a field the others, where all its calls name one and the same."""
    calls = rows.filter(pc.equal(rows["kind"], "call")).select(list(SCOPE_FIELDS))
    found: dict[Pair, Mapping[str, str]] = {}
    for name in SCOPE_FIELDS:
        others = [each for each in SCOPE_FIELDS if each != name]
        wanted = [(each, how) for each in others for how in ("min", "max", "count")]
        known = calls.filter(pc.is_valid(calls[name]))
        for row in known.group_by(name).aggregate([*wanted, ([], "count_all")]).to_pylist():
            found[name, row[name]] = {
                each: row[f"{each}_min"]
                for each in others
                if row[f"{each}_count"] == row["count_all"] and row[f"{each}_min"] == row[f"{each}_max"]
            }
    return found
