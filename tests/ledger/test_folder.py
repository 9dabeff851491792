"""A folder is one input: its files in the order of their names, whatever each of them is, packed or not."""

import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.ledger.reader_folder import content_of
from spendgate.ledger.readers import InputError, ReadOptions, Refused, open_reading, read_events
from spendgate.model.event import Event, encode_events
from tests.ledger.drawn_events import calls
from tests.ledger.foreign import span, spans
from tests.ledger.reading import read

LINE = b'{"id":"%s","source":"s","tenant":"t","time":"2026-11-05T09:00:00Z"}\n'
BARE = b'{"time":"2026-11-05T09:00:00Z"}\n'


def zst(raw: bytes) -> bytes:
    packed: bytes = pa.compress(raw, "zstd", asbytes=True)
    return packed


def test_files_come_in_the_order_of_their_names_and_hidden_ones_are_left_out(tmp_path: Path) -> None:
    for name in (
        "b/2.jsonl",
        "a/10.jsonl",
        "c.jsonl",
        ".hidden",
        "a/_SUCCESS",
        ".git/x.jsonl",
        "c.jsonl.spendgate-sent",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(LINE % name.encode().replace(b"/", b"."))
    (tmp_path / "empty.csv").touch()
    assert [event.id for event in read_events(tmp_path, ReadOptions())] == ["a.10.jsonl", "b.2.jsonl", "c.jsonl"]


def test_each_file_has_a_format_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "1.jsonl").write_bytes(LINE % b"one")
    (tmp_path / "2.csv.gz").write_bytes(gzip.compress(b"time,id,note\n2026-11-05T09:00:00Z,two,x\n"))
    call = span(gen_ai__operation__name="chat", gen_ai__request__model="m", gen_ai__prompt="said")
    (tmp_path / "3.json.zst").write_bytes(zst(spans(call)))
    with open_reading(tmp_path, ReadOptions()) as reading:
        items = list(reading)
    assert [item.id for item in items if isinstance(item, Event)][:2] == ["one", "two"]
    assert len(items) == 3
    assert (reading.format, reading.ignored, reading.dropped) == ("jsonl, csv, otel", ["note"], ["gen_ai.prompt"])
    assert reading.bytes_read == content_of(tmp_path)[1]


@given(st.lists(calls(), min_size=1, max_size=5), st.sampled_from([gzip.compress, zst]))
def test_a_packed_file_is_read_as_what_it_holds(events: list[Event], pack: "object") -> None:
    raw = b"".join(encode_events(event) + b"\n" for event in events)
    assert callable(pack)
    assert read(pack(raw)) == (events, [])


@pytest.mark.parametrize("pack", [gzip.compress, zst])
def test_a_packed_file_that_is_cut_short_is_an_error(pack: "object") -> None:
    assert callable(pack)
    raw = pack(b"".join(LINE % b"%d" % n for n in range(500)))
    with pytest.raises(InputError, match="damaged, or cut short"):
        read(raw[: len(raw) // 2])


def test_equal_rows_of_two_files_are_two_calls_and_the_same_each_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(BARE)
    ids = [event.id for event in read_events(tmp_path, ReadOptions())]
    assert len(set(ids)) == 2
    assert ids == [event.id for event in read_events(tmp_path, ReadOptions())]


def test_a_refused_row_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINE % b"one" + b"{\n")
    refused: list[Refused] = []
    assert len(list(read_events(tmp_path, ReadOptions(), refused.append))) == 1
    assert [str(one) for one in refused] == ["a.jsonl: line 2: (row): expected one JSON object or array on one line"]
    with pytest.raises(InputError, match=r"^a\.jsonl: line 2: \(row\)"):
        list(read_events(tmp_path, ReadOptions(strict=True)))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"team\nlegal\n")
    with pytest.raises(InputError, match=r"^a\.csv: line 1: expected a header with a time column"):
        list(read_events(tmp_path, ReadOptions()))


def test_a_folder_without_files_and_a_table_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="with files in it"):
        list(read_events(tmp_path, ReadOptions()))
    (tmp_path / "_delta_log").mkdir()
    with pytest.raises(InputError, match="--ledger"):
        list(read_events(tmp_path, ReadOptions()))


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_events(tmp_path / "none", ReadOptions()))


def test_the_content_of_a_folder_changes_with_names_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(BARE)
    first = content_of(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    second = content_of(tmp_path)
    (tmp_path / "b").write_bytes(BARE * 2)
    assert len({first[0], second[0], content_of(tmp_path)[0]}) == 3
