"""What a reader reads from: a stream that can be peeked into, unpacked where it is compressed."""

import gzip
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from io import BufferedReader
from typing import Any, BinaryIO, TypeVar

from spendgate.ledger.reader_problem import InputError

PARQUET = b"PAR1"
HEAD_BYTES = 2**18
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
T = TypeVar("T")


class Stream:
    """A stream as its reader wants it. ``text``: unpacked and buffered. ``head``: what is known of its beginning."""

    def __init__(self, stream: BinaryIO) -> None:
        self._given = _buffered(stream)
        magic = self._given.peek(4)[:4]
        self.is_packed = magic.startswith((_GZIP, _ZSTD))
        self.text = _unpacked(self._given, magic) if self.is_packed else self._given
        with damage_told(self.is_packed):
            self.head = self.text.peek(HEAD_BYTES)

    @property
    def is_parquet(self) -> bool:
        """Whether it begins as a Parquet file does."""
        return self.head.startswith(PARQUET)

    @property
    def place(self) -> int:
        """How far the bytes of the stream itself were read, those read ahead included; 0 where it cannot tell."""
        return self._given.tell() if self._given.seekable() else 0

    def seekable(self) -> Any:
        """The same content with random access: itself, or a temporary copy that goes when it is closed."""
        if not self.is_packed and self.text.seekable():
            return self.text
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - its reader reads it to the end
        with damage_told(self.is_packed):
            shutil.copyfileobj(self.text, copy)
        copy.seek(0)
        return copy

    def told(self, items: Iterator[T]) -> Iterator[T]:
        """The items; a damaged packing ends them with an InputError."""
        with damage_told(self.is_packed):
            yield from items


class damage_told:  # noqa: N801 - used as a function
    """Turns what unpacking raises on damaged bytes into an InputError, where there is a packing."""

    def __init__(self, is_packed: bool) -> None:
        self._is_packed = is_packed

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._is_packed and isinstance(error, (EOFError, zlib.error, OSError)):
            raise InputError("the compressed file is damaged, or cut short") from None


def _buffered(stream: Any) -> BufferedReader:
    """Buffered widely enough to find out what it is; what is read from a pipe is what has come."""
    return BufferedReader(getattr(stream, "raw", stream), HEAD_BYTES)


def _unpacked(stream: BufferedReader, magic: bytes) -> BufferedReader:
    if magic.startswith(_GZIP):
        return BufferedReader(gzip.GzipFile(fileobj=stream), HEAD_BYTES)
    import pyarrow as pa

    return BufferedReader(pa.CompressedInputStream(pa.PythonFile(stream, "r"), "zstd"), HEAD_BYTES)
