"""The process that redacts: ``python -m gateway_shadow.privacy.redaction_process [MODEL]``, a child of the door.

A process, so that the door never imports Presidio and spaCy, and no request waits for it. Frames of MessagePack go in
and out, each after its length in four bytes: a list of contents in, a list of redacted contents, or of what was
expected instead, out. It says nothing else to anybody: its streams are shut, for what libraries log may quote what they
read. It ends with its door.
"""

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

if TYPE_CHECKING:
    from gateway_shadow.privacy.redaction import Redaction

NICE = 5
_decode = msgspec.msgpack.Decoder(list[bytes]).decode
_encode = msgspec.msgpack.Encoder().encode


def main() -> None:
    """Serve one door. The first frame out says what this process is able to do, or why it ends."""
    os.nice(NICE)
    out = os.fdopen(os.dup(1), "wb")
    silence()
    try:
        from gateway_shadow.privacy.redaction import Redaction

        redaction = Redaction(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    except Exception as error:  # noqa: BLE001 - whatever it is, the door is told its kind; nothing was read yet
        _write(out, f"{type(error).__name__}: expected Presidio, spaCy, and a model that this spaCy reads")
        return
    _write(out, "")
    while (contents := _read(sys.stdin.buffer)) is not None:
        _write(out, [redacted(redaction, each) for each in contents])


def silence() -> None:
    """Nothing that is printed, logged or raised here reaches the door's own log."""
    logging.disable(logging.CRITICAL)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


def redacted(redaction: "Redaction", content: bytes) -> bytes | str:
    """A content redacted, or what was expected of it."""
    from gateway_shadow.privacy.redaction import NotRedacted

    try:
        return redaction.content(content)
    except NotRedacted as refused:
        return str(refused)
    except Exception:  # noqa: BLE001 - its words may quote the content
        return "content that the redactor can read"


def _read(stream: BinaryIO) -> list[bytes] | None:
    head = stream.read(4)
    return _decode(stream.read(int.from_bytes(head))) if len(head) == 4 else None


def _write(stream: BinaryIO, said: str | list[bytes | str]) -> None:
    frame = _encode(said)
    stream.write(len(frame).to_bytes(4) + frame)
    stream.flush()


if __name__ == "__main__":
    main()
