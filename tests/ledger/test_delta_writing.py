"""Writing: each row once, however it is delivered, and one of two writers loses."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendgate.ledger import delta_writer
from spendgate.ledger.delta_files import FileWriter
from spendgate.ledger.delta_reader import Ledger, Part
from spendgate.ledger.delta_writer import Appended, LedgerTable
from spendgate.ledger.event_rows import batch_of, places_of
from spendgate.ledger.ledger_errors import LedgerAway, LedgerOvertaken
from tests.ledger.delta_world import SOURCE, START, TOPIC, append, event, offsets, place
from tests.ledger.drawn_events import names


def test_nothing_is_covered_before_the_first_append(tmp_path: Path) -> None:
    writer = LedgerTable(tmp_path / "ledger")
    assert writer.covered("events", *SOURCE) == -1
    assert not (tmp_path / "ledger").exists()


def test_what_was_appended_is_covered_and_read(tmp_path: Path) -> None:
    writer = LedgerTable(tmp_path)
    assert append(writer, 0, 4, tenants=["acme", "b/c d%"]) == Appended(10, 4)
    assert (writer.covered("events", *SOURCE), writer.covered("events", TOPIC, 1)) == (4, -1)
    assert Ledger.open(tmp_path).tenants() == ["acme", "b/c d%"]
    assert offsets(tmp_path, "b/c d%") == [0, 1, 2, 3, 4]


@settings(max_examples=15)
@given(cuts=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=5))
def test_messages_delivered_again_in_any_cut_are_written_once(
    cuts: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root, done = tmp_path_factory.mktemp("ledger"), -1
    for a, b in cuts:
        first, last = min(a, b, done + 1), max(a, b)
        writer = LedgerTable(root)  # as after a restart
        assert append(writer, first, last).rows == max(0, last - done)
        done = max(done, last)
        assert writer.covered("events", *SOURCE) == done
    assert offsets(root) == list(range(done + 1))


def test_an_older_last_offset_changes_nothing(tmp_path: Path) -> None:
    writer = LedgerTable(tmp_path)
    append(writer, 0, 9)
    assert append(writer, 3, 5) == Appended(0, 9, already=True)
    assert Ledger.open(tmp_path).version == 1


def test_a_zombie_that_has_read_what_was_covered_loses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zombie, heir = LedgerTable(tmp_path), LedgerTable(tmp_path)
    append(zombie, 0, 4)
    read_before = zombie._newest("events")
    append(heir, 5, 7)
    monkeypatch.setattr(zombie, "_newest", lambda _: read_before)
    with pytest.raises(LedgerOvertaken, match="another writer"):
        append(zombie, 5, 9)
    assert offsets(tmp_path) == list(range(8))


@pytest.mark.parametrize("lost", [OSError("connection reset"), KeyboardInterrupt()])
def test_a_commit_whose_answer_was_lost_keeps_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: BaseException
) -> None:
    writer = LedgerTable(tmp_path)
    commit = delta_writer.commit

    def landed(*given: Any) -> None:
        commit(*given)
        raise lost

    with monkeypatch.context() as patched, pytest.raises((LedgerAway, KeyboardInterrupt)):
        patched.setattr(delta_writer, "commit", landed)
        append(writer, 0, 2)
    assert offsets(tmp_path) == [0, 1, 2]
    assert append(writer, 0, 3).rows == 1


def test_an_error_while_writing_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FileWriter, "action", full)
    with pytest.raises(LedgerAway, match="No space left"):
        append(LedgerTable(tmp_path), 0, 2)
    assert not list(tmp_path.rglob("*.parquet"))


def test_writers_of_other_partitions_do_not_disturb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = LedgerTable(tmp_path), LedgerTable(tmp_path)
    append(one, 0, 0)
    read_before = one._newest("events")
    append(other, 0, 3, tenants=["zeta"], source=(TOPIC, 1))
    monkeypatch.setattr(one, "_newest", lambda _: read_before)
    append(one, 1, 3)
    assert (offsets(tmp_path), offsets(tmp_path, "zeta")) == ([0, 1, 2, 3], [0, 1, 2, 3])


def test_messages_without_rows_are_covered(tmp_path: Path) -> None:
    writer = LedgerTable(tmp_path)
    assert writer.append("events", [], SOURCE, 7, first_offset=0) == Appended(0, 7)
    append(writer, 8, 8)
    assert offsets(tmp_path) == [8]


@pytest.mark.parametrize(
    ("offset", "source", "expected"),
    [
        (5, SOURCE, "up to last_offset"),
        (3, (TOPIC, 1), "those of the source"),
        (3, ("other", 0), "those of the source"),
    ],
)
def test_rows_of_elsewhere_are_refused(tmp_path: Path, offset: int, source: tuple[str, int], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        LedgerTable(tmp_path).append("events", [batch_of([event(0)], [place(offset, 0, source)])], SOURCE, 4)
    assert not list(tmp_path.iterdir())


def test_rows_out_of_order_in_a_batch_are_read_in_order(tmp_path: Path) -> None:
    at = [(2, 1), (2, 0), (0, 0), (1, 0)]
    batch = batch_of([event(offset) for offset, _ in at], [place(*each) for each in at])
    LedgerTable(tmp_path).append("events", [batch], SOURCE, 2)
    found = [places_of(batch) for batch in Ledger.open(tmp_path).event_batches("acme")]
    assert [(each.offset, each.index) for each in found[0]] == sorted(at)


@settings(max_examples=5)
@given(tenants=st.lists(names, min_size=1, max_size=3, unique=True))
def test_any_tenant_has_a_place_of_its_own(tenants: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("ledger")
    append(LedgerTable(root), 0, 1, tenants=tenants)
    assert Ledger.open(root).tenants() == sorted(tenants)
    assert all(offsets(root, tenant) == [0, 1] for tenant in tenants)


def test_a_part_of_a_partition_and_a_span_of_time(tmp_path: Path) -> None:
    writer = LedgerTable(tmp_path)
    append(writer, 0, 4)
    append(writer, 5, 9)
    ledger = Ledger.open(tmp_path)

    def found(**wanted: object) -> list[int | None]:
        batches = ledger.event_batches("acme", **wanted)  # type: ignore[arg-type]
        return [place.offset for batch in batches for place in places_of(batch)]

    assert found(part=Part(TOPIC, 0, 3, 6)) == [3, 4, 5, 6]
    assert found(part=Part(TOPIC, 1)) == []
    assert found(from_=event(4).time, to=event(7).time) == [4, 5, 6]
    assert found(from_=START, to=START) == []
    with pytest.raises(ValueError, match="expected aware instants"):
        found(from_=START.replace(tzinfo=None))
    with pytest.raises(ValueError, match="columns: nothing: expected columns of the table"):
        found(columns=["nothing"])


def test_an_opened_ledger_does_not_move(tmp_path: Path) -> None:
    writer = LedgerTable(tmp_path)
    append(writer, 0, 1)
    ledger = Ledger.open(tmp_path)
    append(writer, 2, 3)
    assert ledger.rows("events") == 2
    assert Ledger.open(tmp_path, version=ledger.version).rows("events") == 2
    assert Ledger.open(tmp_path).rows("events") == 4
