"""A clock of the demo's own: a file that says by how much the time of day is off, for processes that are told of it.

Only the time of day is another one. What measures durations (time-outs, leases) goes by the machine's.
"""

import os
import struct
import time
from datetime import UTC, datetime
from pathlib import Path

CLOCK_ENV = "SPENDGATE_DEMO_CLOCK"
_OFF_BY = struct.Struct("<q")
"""Nanoseconds; eight bytes are written and read as one."""
real_time_ns = time.time_ns


class Clock:
    """The clock of a file. Whoever has opened it sees at its next look what was set."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.path = path
        if not os.pread(self._file, _OFF_BY.size, 0):
            self.be_right()

    def set(self, at: datetime) -> None:
        """It is ``at``, and goes on from there."""
        self._write(int(at.timestamp() * 1e9) - real_time_ns())

    def be_right(self) -> None:
        """It is as late as it is."""
        self._write(0)

    def now_ns(self) -> int:
        """Nanoseconds since the epoch."""
        (off_by_ns,) = _OFF_BY.unpack(os.pread(self._file, _OFF_BY.size, 0))
        return real_time_ns() + int(off_by_ns)

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return self.now_ns() // 1_000_000

    def now(self) -> datetime:
        """The instant, UTC."""
        return datetime.fromtimestamp(self.now_ns() / 1e9, UTC)

    def _write(self, off_by_ns: int) -> None:
        os.pwrite(self._file, _OFF_BY.pack(off_by_ns), 0)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)
