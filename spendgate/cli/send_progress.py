"""How far a send has come, kept beside the file until it is done, so that a next one goes on from there."""

from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from spendgate.ledger.reader_folder import content_of
from spendgate.ledger.reader_options import ReadOptions
from spendgate.model.unreadable import UNREADABLE

SUFFIX = ".spendgate-sent"


class Target(Struct, frozen=True):
    """What is sent where; progress counts only for the same. ``topic_id`` is the id that the broker gave."""

    file_sha256: str
    size_bytes: int
    options_sha256: str
    topic: str
    topic_id: str


class Progress(Struct, kw_only=True):
    """``rows``: how many rows of the file are acknowledged or set aside, counted from its beginning.

    ``events`` and ``quarantined`` are those among them; ``shift_us`` is what was added to every time,
    in microseconds.
    """

    target: Target
    shift_us: int
    rows: int = 0
    events: int = 0
    messages: int = 0
    quarantined: int = 0


def target_of(path: Path, options: ReadOptions, topic: str, topic_id: str, priced_by: str = "") -> Target:
    """The target of sending this file, or this folder, as it is now. ``priced_by``: names the prices, if any."""
    digest, size = content_of(path)
    told = msgspec.json.encode(
        [
            options.tenant,
            options.source,
            sorted(options.mapping.items()),
            options.seed,
            options.format,
            *filter(None, [priced_by]),
        ]
    )
    return Target(digest, size, sha256(told).hexdigest(), topic, topic_id)


def load(path: Path, target: Target) -> Progress | None:
    """The progress kept in ``path`` if it is of this very target."""
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=Progress)
    except (FileNotFoundError, *UNREADABLE):  # one that cannot be read says nothing: all is sent again
        return None
    return kept if kept.target == target else None


def save(path: Path, progress: Progress) -> None:
    """Keep ``progress``, whole or not at all. Raises OSError."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(msgspec.json.encode(progress))
    fresh.replace(path)
