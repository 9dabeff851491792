"""What stands on the topic of policies is read as it was written, or refused by kind and without content."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.model.announcement import (
    Announcement,
    Board,
    Document,
    Entry,
    RecordError,
    Removed,
    StagingEntry,
    StagingSet,
    key_of,
    read_record,
    record_of,
    superseded,
)
from tests.ledger.drawn_events import names

SECRET = b"SENTINEL secret"

hashes = st.binary(max_size=8).map(lambda raw: sha256(raw).hexdigest())
documents = st.binary(max_size=50).map(lambda raw: Document(sha256(raw).hexdigest(), raw))
announcements = st.builds(
    Announcement,
    tenant=names,
    staging=names,
    policy=names,
    hash=hashes,
    stage=st.sampled_from(["shadow", "enforced"]),
    state=st.sampled_from(["staged", "ended"]),
)
sets = st.builds(
    StagingSet, hashes, st.lists(st.builds(StagingEntry, names, names, hashes, st.just("shadow"))).map(tuple)
)


@given(documents | announcements | sets)
def test_what_was_written_is_read(entry: Document | Announcement | StagingSet) -> None:
    assert read_record(*record_of(entry)) == entry


@given(documents | announcements | sets, documents | announcements | sets)
def test_a_value_under_the_key_of_another_is_refused(
    one: Document | Announcement | StagingSet, other: Document | Announcement | StagingSet
) -> None:
    key = key_of(other)
    if key == key_of(one):
        assert read_record(key, record_of(one).value) == one
    else:
        with pytest.raises(RecordError):
            read_record(key, record_of(one).value)


@pytest.mark.parametrize("key", [b"document:" + b"0" * 64, b"staging:a:b", b"set:x", b"other:x", b"", b"\xff"])
@pytest.mark.parametrize("value", [SECRET, b"{}", b'{"SENTINEL": 1}', b"[" * 50_000])
def test_a_refusal_never_shows_content(key: bytes, value: bytes) -> None:
    with pytest.raises(RecordError) as raised:
        read_record(key, value)
    assert "SENTINEL" not in str(raised.value)


@given(announcements)
def test_a_tombstone_takes_an_entry_away(entry: Announcement) -> None:
    board = Board()
    key, value = record_of(entry)
    board.take(key, value)
    board.take(key, None)
    assert not board.announcements
    assert read_record(key, None) == Removed(key.decode())


@given(st.lists(documents | announcements | sets, max_size=20))
def test_the_latest_of_a_key_counts(entries: list[Document | Announcement | StagingSet]) -> None:
    board = Board()
    latest: dict[bytes, Entry] = {}
    for entry in entries:
        board.take(*record_of(entry))
        latest[key_of(entry)] = entry
    held: list[Entry] = [*board.documents.values(), *board.announcements.values(), *board.sets.values()]
    assert {key_of(entry): entry for entry in held} == latest


def test_an_unreadable_record_is_counted_and_changes_nothing() -> None:
    board = Board()
    board.take(b"staging:a:b", SECRET)
    assert (board.unreadable, board.announcements) == (1, {})


def staging(name: str, policy: str = "p", stage: str = "shadow", state: str = "staged") -> Announcement:
    return Announcement(
        tenant="acme",
        staging=name,
        policy=policy,
        hash="0" * 64,
        stage="enforced" if stage == "enforced" else "shadow",
        state="ended" if state == "ended" else "staged",
    )


def test_a_new_version_ends_the_shadow_of_its_own_policy_alone() -> None:
    board = Board()
    for entry in (
        staging("s1"),
        staging("s2", stage="enforced"),
        staging("s3", policy="q"),
        staging("s4", state="ended"),
    ):
        board.take(*record_of(entry))
    assert [entry.staging for entry in superseded(board.live("acme"), "p")] == ["s1"]
    assert board.live("other") == []
