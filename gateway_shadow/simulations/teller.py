"""What a process that simulates says to its door, on stdout: lines of JSON, and the bytes that one announces."""

import json
import time
from dataclasses import dataclass
from typing import Any, BinaryIO

EVERY_S = 0.1


@dataclass
class Teller:
    """Writes to the door. ``tell`` is for how far it has come, now and then."""

    out: BinaryIO
    last_s: float = 0.0

    def say(self, body: bytes = b"", **fields: Any) -> None:
        """One line, and the bytes that it announces."""
        self.out.write(json.dumps(fields).encode() + b"\n" + body)
        self.out.flush()

    def tell(self, rows: int) -> None:
        """So many rows are passed."""
        now_s = time.monotonic()
        if now_s - self.last_s >= EVERY_S:
            self.last_s = now_s
            self.say(rows=rows)
