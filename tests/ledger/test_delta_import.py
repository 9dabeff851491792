"""Import: all of a file or none of it, once; and a call that was there before is marked."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendgate.ledger.delta_import import import_events
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.ledger.event_rows import events_of, places_of
from spendgate.ledger.ledger_errors import LedgerOvertaken
from spendgate.model.event import Event
from tests.ledger.delta_world import append, event, ids


def marks(root: Path, tenant: str = "acme") -> list[bool]:
    """Of a tenant's rows in ledger order, which are duplicates."""
    return [place.duplicate for batch in Ledger.open(root).event_batches(tenant) for place in places_of(batch)]


def test_the_same_file_again_changes_nothing(tmp_path: Path) -> None:
    first = import_events(tmp_path, map(event, range(5)), "a")
    again = import_events(tmp_path, map(event, range(5)), "a")
    assert (first.rows, first.already, again.rows, again.already) == (5, False, 0, True)
    assert (again.number, again.version) == (first.number, first.version)
    assert len(ids(tmp_path)) == 5


@settings(max_examples=15)
@given(files=st.lists(st.lists(st.integers(0, 6), max_size=8), max_size=3), chunk=st.integers(1, 5))
def test_the_first_of_each_call_counts(
    files: list[list[int]], chunk: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("ledger")
    import_events(root, [event(99)], "first")
    for number, file in enumerate(files):
        import_events(root, map(event, file), str(number), chunk_events=chunk)
    assert sorted(ids(root)) == sorted(["e99", *(f"e{n}" for file in files for n in file)])
    fresh = [name for name, marked in zip(ids(root), marks(root), strict=True) if not marked]
    assert sorted(fresh) == sorted({"e99", *(f"e{n}" for file in files for n in file)})


def test_an_identity_is_a_tenants_and_a_sources(tmp_path: Path) -> None:
    import_events(tmp_path, [event(1, "acme", "a"), event(1, "acme", "b"), event(1, "zeta", "a")], "a")
    assert (marks(tmp_path), marks(tmp_path, "zeta")) == ([False, False], [False])


def test_an_annotation_is_never_a_duplicate(tmp_path: Path) -> None:
    note = msgspec.structs.replace(event(1), kind="outcome", refers_to="e1", outcome="failed")
    import_events(tmp_path, [note, event(1), note], "a")
    assert marks(tmp_path) == [False, False, False]


def test_a_call_of_the_log_makes_no_import_a_duplicate(tmp_path: Path) -> None:
    append(LedgerTable(tmp_path), 0, 2)
    import_events(tmp_path, map(event, range(3)), "a")
    assert marks(tmp_path) == [False] * 6
    assert ids(tmp_path) == ["e0", "e1", "e2"] * 2


def test_an_error_in_the_file_leaves_the_ledger_as_it_was(tmp_path: Path) -> None:
    def broken() -> Iterator[Event]:
        yield from map(event, range(10))
        raise FileNotFoundError(2, "No such file or directory", "history.csv")

    with pytest.raises(FileNotFoundError, match=r"history\.csv"):
        import_events(tmp_path, broken(), "a", chunk_events=3)
    assert Ledger.open(tmp_path).rows("events") == 0
    assert not list(tmp_path.rglob("import-*.parquet"))
    assert import_events(tmp_path, map(event, range(2)), "a").rows == 2


def test_of_two_imports_at_once_one_loses_whole(tmp_path: Path) -> None:
    def slow() -> Iterator[Event]:
        yield event(1)
        import_events(tmp_path, [event(1), event(2)], "b")

    with pytest.raises(LedgerOvertaken):
        import_events(tmp_path, slow(), "a")
    assert (ids(tmp_path), marks(tmp_path)) == (["e1", "e2"], [False, False])
    assert import_events(tmp_path, [event(1)], "a").duplicates == 1


def test_an_empty_file_is_an_import_of_nothing(tmp_path: Path) -> None:
    assert import_events(tmp_path, [], "a").rows == 0
    assert import_events(tmp_path, [event(1)], "a").already


def test_rows_are_told_as_they_are_read(tmp_path: Path) -> None:
    told: list[int] = []
    import_events(tmp_path, map(event, range(7)), "a", chunk_events=3, on_rows=told.append)
    assert told == [3, 3, 1]


def test_events_come_back_whole(tmp_path: Path) -> None:
    given = [msgspec.structs.replace(event(n), team="a", model="m", cache_hit=n == 1) for n in range(3)]
    import_events(tmp_path, given, "a")
    batches: list[pa.RecordBatch] = list(Ledger.open(tmp_path).event_batches("acme"))
    assert [found for batch in batches for found in events_of(batch)] == given
