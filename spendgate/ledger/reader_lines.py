"""Lines of a stream, numbered, with a running hash that gives a row without an id its identity."""

from collections.abc import Iterator
from hashlib import sha256
from typing import BinaryIO

from spendgate.ledger.reader_problem import InputError

MAX_LINE_BYTES = 8 * 2**20
_UTF8_BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = (b"\xff\xfe", b"\xfe\xff")


class Lines:
    """An iterator of the raw lines of a stream of UTF-8 text.

    ``number``: the line last given, from 1. ``bytes_read``: up to its end. ``salt``: what sets the identities of
    this stream's rows apart from those of another with the same content. Raises InputError on a line of
    more than 8 MiB and on UTF-16.
    """

    def __init__(self, stream: BinaryIO, salt: str = "") -> None:
        self._stream = stream
        self._hash = sha256(salt.encode("utf-8", "surrogateescape"))
        self._ahead: bytes | None = None
        self.number = 0
        self.bytes_read = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        raw = self._next_raw() if self._ahead is None else self._ahead
        self._ahead = None
        if not raw:
            raise StopIteration
        self.number += 1
        self.bytes_read += len(raw)
        if len(raw) > MAX_LINE_BYTES:
            raise InputError(f"line {self.number}: expected at most 8 MiB in a line")
        self._hash.update(raw)
        return self._without_bom(raw) if self.number == 1 else raw

    def peek(self) -> bytes:
        """The next line, which is still to come; empty at the end of the stream."""
        if self._ahead is None:
            self._ahead = self._next_raw()
        return self._without_bom(self._ahead) if self.number == 0 else self._ahead

    def identity(self) -> str:
        """An id for the row that ends here: its line, and 64 bits of the hash of all up to it.

        The same file gives the same ids, and so does the same file with more rows after them.
        """
        return f"{self.number}-{self._hash.hexdigest()[:16]}"

    def _next_raw(self) -> bytes:
        return self._stream.readline(MAX_LINE_BYTES + 1)

    @staticmethod
    def _without_bom(raw: bytes) -> bytes:
        if raw.startswith(_OTHER_BOMS):
            raise InputError("line 1: expected UTF-8 text")
        return raw.removeprefix(_UTF8_BOM)
