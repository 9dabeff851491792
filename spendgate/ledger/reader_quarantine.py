"""Where refused rows are set aside: line, field and expectation, and none of the content."""

from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from spendgate.ledger.reader_problem import Refused

_encode = msgspec.json.Encoder().encode


class Quarantine:
    """A JSONL file of refused rows, made when there is a first one. ``count``: how many were written here."""

    def __init__(self, path: Path, *, append: bool = False) -> None:
        self.path = path
        self.count = 0
        self._append = append
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def put(self, refused: Refused) -> None:
        """Write one refused row. Raises OSError where the file cannot be written."""
        if self._file is None:
            self._file = self.path.open("ab" if self._append else "wb")
        self._file.write(_encode(refused) + b"\n")
        self.count += 1
