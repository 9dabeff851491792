"""What stands on ``spend.policies``: documents by hash, announcements of stagings, named sets of stagings.

The topic is compacted; a record is found by its key, and a later one with the same key takes its place.

=============================  =====================================================================
key                            value
=============================  =====================================================================
``document:<hash>``            the policy's canonical JSON; its SHA-256 is the hash
``staging:<tenant>:<staging>``  an Announcement: staged (a worker may prepare the seed) or ended
``set:<hash>``                 a StagingSet: what the ``judged.set`` of a decision names
=============================  =====================================================================
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct

from spendgate.model.activation import PolicyHash, Stage
from spendgate.model.text import Name
from spendgate.model.unreadable import UNREADABLE

State = Literal["staged", "ended"]


class RecordError(ValueError):
    """A record that cannot be read. The message names the kind and what was expected, and no content."""


class Document(Struct, frozen=True):
    """A policy's canonical JSON, by its hash."""

    hash: str
    content: bytes


class Announcement(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A staging that is about to begin, is in force, or has ended; the log alone says from where to where."""

    tenant: Name
    staging: Name
    policy: Name
    hash: PolicyHash
    stage: Stage = "shadow"
    state: State


class StagingEntry(NamedTuple):
    """One staging of a set."""

    staging: str
    policy: str
    hash: str
    stage: str


class StagingSet(Struct, forbid_unknown_fields=True, frozen=True):
    """The stagings that were in force for a call, by the hash that decisions carry."""

    set: str
    stagings: tuple[StagingEntry, ...]


class Removed(Struct, frozen=True):
    """A tombstone: the record of this key is gone."""

    key: str


Entry = Document | Announcement | StagingSet | Removed


class Record(NamedTuple):
    """Key and value as they stand on the topic."""

    key: bytes
    value: bytes


_encode = msgspec.json.Encoder().encode
_decode_announcement = msgspec.json.Decoder(Announcement).decode
_decode_set = msgspec.json.Decoder(StagingSet).decode


def key_of(entry: Entry) -> bytes:
    """The key of an entry."""
    match entry:
        case Document():
            return f"document:{entry.hash}".encode()
        case Announcement():
            return f"staging:{entry.tenant}:{entry.staging}".encode()
        case StagingSet():
            return f"set:{entry.set}".encode()
        case Removed():
            return entry.key.encode()


def record_of(entry: Document | Announcement | StagingSet) -> Record:
    """The record of an entry."""
    return Record(key_of(entry), entry.content if isinstance(entry, Document) else _encode(entry))


def read_record(key: bytes, value: bytes | None) -> Entry:
    """The entry of a record. Raises RecordError if the value is malformed or does not belong to the key."""
    if value is None:
        return Removed(key.decode("utf-8", "replace"))
    kind, _, rest = key.decode("utf-8", "replace").partition(":")
    entry = _decode(kind, rest, value)
    if key_of(entry) != key:
        raise RecordError(f"{kind}: expected a value that belongs to its key")
    return entry


def _decode(kind: str, rest: str, value: bytes) -> Document | Announcement | StagingSet:
    try:
        match kind:
            case "document":
                return Document(_checked_hash(rest, value), value)
            case "staging":
                return _decode_announcement(value)
            case "set":
                return _decode_set(value)
    except UNREADABLE:
        raise RecordError(f"{kind}: expected a record of its schema") from None
    raise RecordError("expected a key that starts with document:, staging: or set:")


def _checked_hash(named: str, content: bytes) -> str:
    if sha256(content).hexdigest() != named:
        raise RecordError("document: expected content with the hash of its key")
    return named


class Board:
    """The topic as a reader sees it: the latest entry of each key, in the order in which keys first came."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self.announcements: dict[tuple[str, str], Announcement] = {}
        self.sets: dict[str, StagingSet] = {}
        self.unreadable = 0

    def take(self, key: bytes, value: bytes | None) -> None:
        """Take in one record; what cannot be read is counted and left out."""
        try:
            self._put(read_record(key, value))
        except RecordError:
            self.unreadable += 1

    def _put(self, entry: Entry) -> None:
        match entry:
            case Document():
                self.documents[entry.hash] = entry
            case Announcement():
                self.announcements[entry.tenant, entry.staging] = entry
            case StagingSet():
                self.sets[entry.set] = entry
            case Removed():
                self._remove(entry.key)

    def _remove(self, key: str) -> None:
        kind, _, rest = key.partition(":")
        if kind == "document":
            self.documents.pop(rest, None)
        elif kind == "set":
            self.sets.pop(rest, None)
        else:
            self.announcements = {
                place: entry for place, entry in self.announcements.items() if key_of(entry) != key.encode()
            }

    def live(self, tenant: str) -> list[Announcement]:
        """The tenant's stagings that have not ended."""
        return [entry for entry in self.announcements.values() if entry.tenant == tenant and entry.state == "staged"]


def superseded(live: Iterable[Announcement], policy: str) -> list[Announcement]:
    """The shadow stagings that a new version of ``policy`` ends; an enforced one looks on, side by side."""
    return [entry for entry in live if entry.policy == policy and entry.stage == "shadow"]
