"""Rows are read in the order of the log and against it, from any place on, however files and row groups are cut."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_shadow.ledger.pages import page
from spendgate.ledger import delta_tables
from spendgate.ledger.delta_compact import compact
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_selection import Place, Selection, rows
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.ledger.event_rows import Place as LogPlace
from spendgate.ledger.event_rows import batch_of
from spendgate.ledger.row_filter import Wanted
from tests.engine.scenes import examples
from tests.ledger.delta_world import SOURCE, START, event

SMALL = 3


@pytest.fixture(scope="module", autouse=True)
def small_row_groups() -> Iterator[None]:
    """Of three rows each, so that a few events make many."""
    with pytest.MonkeyPatch.context() as patch:
        shape = replace(delta_tables.SHAPES["events"], row_group_rows=SMALL)
        patch.setitem(delta_tables.SHAPES, "events", shape)
        yield


def written(folder: Path, days: list[list[int]], *, joined: bool) -> Ledger:
    """A commit for each list, a message of two events for each number, which is the day that it was received; a clock
    that steps back has files of two days overlap."""
    table, offset = LedgerTable(folder), 0
    for commit in days:
        offsets = range(offset, offset + len(commit))
        places = [
            LogPlace(*SOURCE, at, item, START + timedelta(days=day))
            for at, day in zip(offsets, commit, strict=True)
            for item in (0, 1)
        ]
        events = [event(2 * at + item) for at in offsets for item in (0, 1)]
        table.append("events", [batch_of(events, places)], SOURCE, offsets[-1], first_offset=offset)
        offset = offsets[-1] + 1
    if joined:
        compact(folder, "events")
    return Ledger.open(folder)


commits = st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=6), min_size=1, max_size=4)


@examples(25)
@given(commits, st.booleans(), st.integers(0, 30), st.integers(1, 5), st.booleans(), st.integers(0, 40))
def test_from_any_place_on_each_row_comes_once_and_in_order(
    days: list[list[int]], joined: bool, at: int, size: int, newest_first: bool, first: int
) -> None:
    with TemporaryDirectory() as folder:
        ledger = written(Path(folder), days, joined=joined)
        numbers = list(range(2 * sum(map(len, days))))
        wanted = Wanted({}, {}, START + timedelta(seconds=first))
        place = Place(*SOURCE, at // 2, at % 2)
        owed = [n for n in numbers if n >= first and (n < at if newest_first else n > at)]
        found, after = [], place
        while after is not None:
            got = page(ledger, Selection("events", "acme", wanted, after, newest_first), size)
            found += [id_ for batch in got.batches for id_ in batch.column("id").to_pylist()]
            after = got.next  # type: ignore[assignment]  # (None ends it)
        assert found == [f"e{n}" for n in (reversed(owed) if newest_first else owed)]
        read = rows(ledger, Selection("events", "acme"))
        assert [id_ for batch in read for id_ in batch.column("id").to_pylist()] == [f"e{n}" for n in numbers]


def test_a_page_ends_when_it_has_looked_at_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = written(tmp_path, [[0] * 9], joined=False)
    monkeypatch.setattr("gateway_shadow.ledger.pages.MOST_LOOKED_AT", 2 * SMALL)
    for newest_first, at in ((False, Place(*SOURCE, 2, 1)), (True, Place(*SOURCE, 6, 0))):
        got = page(ledger, Selection("events", "acme", Wanted({"team": "nobody"}), None, newest_first), 5)
        assert (sum(batch.num_rows for batch in got.batches), got.next) == (0, at)
