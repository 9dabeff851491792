"""JSON documents of a stream: one a line, or spread over many lines, or the elements of one array of any length."""

import re
from collections.abc import Iterator
from hashlib import sha256
from io import BufferedReader
from typing import NamedTuple

from spendgate.ledger.reader_problem import ROW, InputError, Refused

MAX_DOCUMENT_BYTES = 64 * 2**20
_CHUNK_BYTES = 2**18
_TOKEN = re.compile(rb'("[^"\\]*(?:\\.[^"\\]*)*")|(")|([{\[])|([}\]])', re.DOTALL)
_STRING, _OPEN_STRING, _OPENING, _CLOSING = range(1, 5)


class Document(NamedTuple):
    """One JSON object with the line that it begins on, and an identity from its place."""

    line: int
    identity: str
    raw: bytes


class Documents:
    """An iterator of the JSON objects of a stream, those of an array each by itself.

    ``bytes_read``: how far it has come. Where the first line is whole JSON, each line is, and a bad one does not
    touch the next; else bytes that are no JSON are refused once. Raises InputError on an object of more than 64 MiB.
    """

    def __init__(self, stream: BufferedReader, salt: str = "") -> None:
        self._stream = stream
        self._hash = sha256(salt.encode("utf-8", "surrogateescape"))
        self._buffer = b""
        self._at = 0
        self._line = 1
        self.bytes_read = 0

    def __iter__(self) -> Iterator[Document | Refused]:
        by_line = self._fill() and _is_by_line(self._buffer)
        yield from self._lines() if by_line else self._objects()

    def _fill(self) -> bool:
        """More of the stream, as much again as is held; False at its end."""
        held = self._buffer[self._at :]
        if len(held) > MAX_DOCUMENT_BYTES:
            raise InputError(f"line {self._line}: expected at most 64 MiB in one JSON object")
        more = self._stream.read1(max(_CHUNK_BYTES, len(held)))
        if more:
            self._buffer, self._at = held + more, 0
        return bool(more)

    def _take(self, end: int) -> bytes:
        taken = self._buffer[self._at : end]
        self._at = end
        self.bytes_read += len(taken)
        self._hash.update(taken)
        return taken

    def _lines(self) -> Iterator[Document | Refused]:
        while True:
            end = self._buffer.find(b"\n", self._at) + 1
            while not end and self._fill():
                end = self._buffer.find(b"\n") + 1
            raw = self._take(end or len(self._buffer))
            if not raw:
                return
            yield from self._of_line(raw)
            self._line += 1

    def _of_line(self, raw: bytes) -> Iterator[Document | Refused]:
        found = list(_spans(raw))
        whole = [(start, end) for start, end in found if end is not None]
        for number, (start, end) in enumerate(whole):
            suffix = "" if len(whole) == 1 else f"-{number}"
            yield Document(self._line, f"{self._line}-{self._hash.hexdigest()[:16]}{suffix}", raw[start:end])
        for start, last in reversed(found):
            raw = raw[:start] + (b"" if last is None else raw[last:])
        if len(whole) < len(found) or _is_junk(raw):
            yield Refused(self._line, ROW, "one JSON object or array on one line")

    def _objects(self) -> Iterator[Document | Refused]:
        """Over the whole stream at once; what is held is one object."""
        number, junk = 0, False
        while (span := self._next_span()) is not None:
            start, end = span
            junk = _is_junk(self._buffer[self._at : start]) or junk
            self._line += self._take(start).count(b"\n")
            line, number = self._line, number + 1
            raw = self._take(len(self._buffer) if end is None else end)
            self._line += raw.count(b"\n")
            if end is None:
                yield Refused(line, ROW, "a whole JSON object; the file ends within it")
            else:
                yield Document(line, f"{number}-{self._hash.hexdigest()[:16]}", raw)
        if _is_junk(self._take(len(self._buffer))) or junk:
            yield Refused(self._line, ROW, "JSON objects, or one array of them")

    def _next_span(self) -> tuple[int, int | None] | None:
        """Of the next object in the buffer, which is filled as needed; the last one may have no end."""
        while True:
            span = next(_spans(self._buffer, self._at), None)
            if (span is not None and span[1] is not None) or not self._fill():
                return span


def _is_junk(between: bytes) -> bool:
    return bool(between.strip(b" \t\r\n,[]\xef\xbb\xbf"))


def _is_by_line(head: bytes) -> bool:
    """Whether the first line that is not blank closes all that it opens."""
    line, newline, _ = head.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")
    depth = 0
    for token in _TOKEN.finditer(line):
        depth += {_OPENING: 1, _CLOSING: -1}.get(token.lastindex or 0, 0)
    return depth == 0 and bool(newline)


def _spans(raw: bytes, at: int = 0) -> Iterator[tuple[int, int | None]]:
    """Start and end of each object that lies in nothing but arrays; an end of None: it is not closed."""
    depth, start = 0, None
    for token in _TOKEN.finditer(raw, at):
        kind = token.lastindex
        if kind == _OPENING and (start is not None or token[0] == b"{"):
            depth, start = depth + 1, token.start() if start is None else start
        elif kind == _CLOSING and start is not None:
            depth -= 1
            if not depth:
                yield start, token.end()
                start = None
        elif kind == _OPEN_STRING:
            break
    if start is not None:
        yield start, None


def first_keys(head: bytes) -> set[str]:
    """The names of the first object's own fields, as far as ``head`` shows them."""
    names: set[str] = set()
    depth = 0
    for token in _TOKEN.finditer(head, max(head.find(b"{"), 0)):
        depth += {_OPENING: 1, _CLOSING: -1}.get(token.lastindex or 0, 0)
        if depth == 0:
            break
        if depth == 1 and token.lastindex == _STRING and head[token.end() : token.end() + 8].lstrip()[:1] == b":":
            names.add(token[0][1:-1].decode("utf-8", "replace"))
    return names
