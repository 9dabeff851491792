"""Order: whatever was appended, imported and compacted, in whatever pieces, the rows come in ledger order."""

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendgate.ledger.delta_compact import compact
from spendgate.ledger.delta_import import import_events
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.ledger.event_rows import Place, batch_of, events_of, places_of
from spendgate.ledger.ledger_errors import LedgerOvertaken
from spendgate.model.event import Event
from tests.ledger.delta_world import START, append, event, ids, offsets

ERAS = ["ffffffff-topic", "00000000-topic"]
"""Topic ids in the order of their eras, which is not the order of their letters."""

log_steps = st.tuples(
    st.just("log"), st.integers(0, 1), st.integers(0, 1), st.lists(st.integers(0, 3), min_size=1, max_size=6)
)
import_steps = st.tuples(
    st.just("import"), st.integers(1, 4), st.integers(0, 0), st.lists(st.integers(0, 5), min_size=1, max_size=8)
)
compactions = st.tuples(st.just("compact"), st.integers(2, 9), st.integers(0, 0), st.just([0]))


class World:
    """A ledger, and beside it the rows that it should hold, each with its key."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.rows: list[tuple[tuple[int, ...], str]] = []
        self.ends: dict[tuple[int, int], int] = {}
        self.imports = self.number = 0

    def log(self, era: int, partition: int, indexes: list[int]) -> None:
        """Messages with 0 to 3 events each; a broker's clock that goes back over midnight now and then."""
        first = self.ends.get((era, partition), 0)
        source = ERAS[era], partition
        events: list[Event] = []
        places: list[Place] = []
        for offset, count in enumerate(indexes, first):
            at = START + timedelta(days=30 * era, minutes=(offset * 37) % 200)
            for index in range(count):
                self.rows.append(((era, partition, offset, index), self._add(events, event(0))))
                places.append(Place(*source, offset, index, at))
        self.ends[era, partition] = first + len(indexes)
        LedgerTable(self.root).append("events", [batch_of(events, places)], source, first + len(indexes) - 1)

    def imported(self, chunk: int, hours: list[int]) -> None:
        """A file with events at these hours."""
        events: list[Event] = []
        for row, hour in enumerate(hours):
            given = msgspec.structs.replace(event(0), time=START + timedelta(hours=hour))
            self.rows.append(((-1, hour, self.imports, row // chunk, row), self._add(events, given)))
        self.imports += 1
        import_events(self.root, events, f"file {self.imports}", chunk_events=chunk)

    def _add(self, events: list[Event], given: Event) -> str:
        self.number += 1
        events.append(msgspec.structs.replace(given, id=f"e{self.number}"))
        return events[-1].id


@settings(max_examples=25)
@given(steps=st.lists(log_steps | import_steps | compactions, min_size=1, max_size=8), batch_rows=st.integers(1, 50))
def test_rows_come_in_ledger_order(
    steps: list[tuple[str, int, int, list[int]]], batch_rows: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    world = World(tmp_path_factory.mktemp("ledger"))
    world.log(0, 0, [1])  # the first era is the one that was received first
    for what, one, other, numbers in steps:
        match what:
            case "log":
                world.log(one, other, numbers)
            case "import":
                world.imported(one, numbers)
            case _:
                compact(world.root, "events", max_files=one)
    batches = list(Ledger.open(world.root).event_batches("acme", batch_rows=batch_rows))
    assert [found.id for batch in batches for found in events_of(batch)] == [name for _, name in sorted(world.rows)]
    assert all(0 < batch.num_rows <= batch_rows for batch in batches)


def test_compaction_joins_files_and_moves_no_row(tmp_path: Path) -> None:
    writer = LedgerTable(tmp_path)
    for offset in range(6):
        append(writer, offset, offset, tenants=["acme", "zeta"])
    before = [places_of(batch) for batch in Ledger.open(tmp_path).event_batches("acme", batch_rows=1)]
    done = compact(tmp_path, "events")
    assert (done.before, done.after, done.rows) == (12, 2, 12)
    assert [places_of(batch) for batch in Ledger.open(tmp_path).event_batches("acme", batch_rows=1)] == before
    assert compact(tmp_path, "events").before == 0
    assert append(LedgerTable(tmp_path), 4, 6, tenants=["acme"]).rows == 1


def test_no_more_files_are_joined_than_asked_for(tmp_path: Path) -> None:
    writer = LedgerTable(tmp_path)
    for offset in range(6):
        append(writer, offset, offset)
    assert compact(tmp_path, "events", max_files=4).before == 4
    assert len(Ledger.open(tmp_path).files("events")) == 3
    assert compact(tmp_path, "events", target_bytes=1).before == 0


def test_of_two_compactions_of_the_same_files_one_loses(tmp_path: Path) -> None:
    writer = LedgerTable(tmp_path)
    for offset in range(3):
        append(writer, offset, offset)
    with pytest.raises(LedgerOvertaken):
        compact(tmp_path, "events", on_files=lambda _: _compact_again(tmp_path))
    assert offsets(tmp_path) == [0, 1, 2]


def _compact_again(root: Path) -> None:
    assert compact(root, "events").after == 1


def test_an_append_during_a_compaction_is_kept(tmp_path: Path) -> None:
    writer = LedgerTable(tmp_path)
    append(writer, 0, 0)
    append(writer, 1, 1)

    def meanwhile(_: int) -> None:
        append(writer, 2, 2)

    assert compact(tmp_path, "events", on_files=meanwhile).after == 1
    assert offsets(tmp_path) == [0, 1, 2]


def test_imported_rows_of_one_time_stay_in_the_order_of_their_file(tmp_path: Path) -> None:
    events = [msgspec.structs.replace(event(n), time=START) for n in range(20)]
    import_events(tmp_path, events, "one", chunk_events=3)
    assert ids(tmp_path) == [each.id for each in events]
    compact(tmp_path, "events")
    assert ids(tmp_path) == [each.id for each in events]
