"""Verification: whatever is missing, added or damaged shows, and nothing else does."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from spendgate.ledger.delta_compact import compact, vacuum
from spendgate.ledger.delta_import import import_events
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_verify import Offsets, Range, SourceReport, verify
from spendgate.ledger.delta_writer import LedgerTable
from tests.ledger.delta_world import SOURCE, append, event


def report(root: Path, topic: Offsets | None = None) -> SourceReport:
    """Of the one source of a ledger."""
    [found] = verify(Ledger.open(root), {"events": {SOURCE: topic}} if topic else None).sources
    return found


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), min_size=1, max_size=6), st.booleans())
def test_every_gap_shows_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]], compacted: bool
) -> None:
    root, end, gaps = tmp_path_factory.mktemp("ledger"), 0, []
    writer = LedgerTable(root)
    for number, (skipped, count) in enumerate(steps):
        first = end + skipped
        if skipped and number:
            gaps.append(Range(end, first - 1))
        end = first + count
        append(writer, first, end - 1)
    if compacted:
        compact(root, "events")
    found = report(root)
    assert found.gaps == gaps
    assert found.missing == sum(gap.last - gap.first + 1 for gap in gaps)
    assert (found.first, found.last) == (steps[0][0], end - 1)
    assert found.rows == found.rows_found == sum(count for _, count in steps)
    assert found.complete == (not gaps)


@pytest.mark.parametrize(
    ("topic", "gaps", "behind", "past_end"),
    [
        (Offsets(0, 20), [Range(0, 4)], 10, False),
        (Offsets(5, 10), [], 0, False),
        (Offsets(8, 12), [], 2, False),
        (Offsets(12, 15), [Range(10, 11)], 3, False),
        (Offsets(5, 8), [], 0, True),
    ],
)
def test_a_topics_own_offsets_are_compared(
    tmp_path: Path, topic: Offsets, gaps: list[Range], behind: int, past_end: bool
) -> None:
    append(LedgerTable(tmp_path), 5, 9)
    found = report(tmp_path, topic)
    assert (found.gaps, found.behind, found.past_end) == (gaps, behind, past_end)
    assert found.complete == (not gaps and not past_end)


def test_a_partition_that_was_never_recorded_is_behind(tmp_path: Path) -> None:
    append(LedgerTable(tmp_path), 0, 0)
    other = ("topic", 3)
    found = verify(Ledger.open(tmp_path), {"events": {other: Offsets(2, 9)}, "decisions": {other: Offsets(0, 4)}})
    assert [(each.table, each.behind) for each in found.sources] == [("events", None), ("events", 7), ("decisions", 4)]
    assert found.complete


def test_rows_that_somebody_deleted_are_missed(tmp_path: Path) -> None:
    append(LedgerTable(tmp_path), 0, 4)
    DeltaTable(tmp_path / "events").delete("id = 'e2'")
    found = report(tmp_path)
    assert (found.rows, found.complete) == (5, False)


def test_a_file_that_is_gone_short_or_other_is_damaged(tmp_path: Path) -> None:
    writer = LedgerTable(tmp_path)
    for offset in range(3):
        append(writer, offset, offset)
    assert verify(Ledger.open(tmp_path)).complete
    gone, short, other = sorted(tmp_path.rglob("log-*.parquet"))
    gone.unlink()
    short.write_bytes(short.read_bytes()[:-1])
    other.write_bytes(b"x" * other.stat().st_size)
    found = verify(Ledger.open(tmp_path))
    problems = {Path(each.path).name: each.problem for each in found.damaged}
    assert "there is none" in problems[gone.name]
    assert "bytes" in problems[short.name]
    assert "whole Parquet file" in problems[other.name]
    assert not found.complete


def test_imports_are_counted(tmp_path: Path) -> None:
    import_events(tmp_path, map(event, range(4)), "a")
    found = verify(Ledger.open(tmp_path))
    assert (found.imported, found.imported_found, found.complete) == (4, 4, True)
    DeltaTable(tmp_path / "events").delete("id = 'e2'")
    assert not verify(Ledger.open(tmp_path)).complete


def test_a_vacuum_takes_old_files_alone(tmp_path: Path) -> None:
    writer = LedgerTable(tmp_path)
    append(writer, 0, 0)
    append(writer, 1, 1)
    compact(tmp_path, "events")
    assert vacuum(tmp_path, "events") == []
    with pytest.raises(ValueError, match="keep_hours: expected 24 or more"):
        vacuum(tmp_path, "events", keep_hours=1)
    [joined] = Ledger.open(tmp_path).files("events")
    assert pq.read_metadata(tmp_path / "events" / joined.path).num_rows == 2
