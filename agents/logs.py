"""One line a record, on standard output; as JSON if ``SPENDGATE_LOG=json``. No stack traces unless at level debug."""

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

LEVEL = "SPENDGATE_LOG_LEVEL"
FORMAT = "SPENDGATE_LOG"
BURST = 1
WINDOW_S = 10.0
LIBRARIES = ("faust", "mode", "asyncio", "agents.faust_private")
CRASHES = ("Crashed reason", "Error: ", "{0!r} crashed")


class Line(logging.Formatter):
    """``time LEVEL logger message`` on exactly one line."""

    def __init__(self, *, traces: bool) -> None:
        super().__init__()
        self.traces = traces

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        line = f"{self.instant(record)} {record.levelname} {record.name} {self.words(record)}"
        return f"{line}\n{self.formatException(record.exc_info)}" if self.traces and record.exc_info else line

    @staticmethod
    def instant(record: logging.LogRecord) -> str:
        """When, in UTC with milliseconds."""
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")

    @staticmethod
    def words(record: logging.LogRecord) -> str:
        """The message, with all white space folded."""
        return " ".join(record.getMessage().split())


class JsonLine(Line):
    """One JSON object a record: time, level, logger, message."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        entry = {
            "time": self.instant(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.words(record),
        }
        if self.traces and record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


class RateLimit(logging.Filter):
    """Lets BURST records of one message template through every WINDOW_S, then says how many it kept back.

    aiokafka writes thousands of errors in an outage of 20 s.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.clock = clock
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        key, now = (record.name, str(record.msg)), self.clock()
        begun, count = self._windows.get(key, (now, 0))
        if now - begun >= WINDOW_S:
            if count > BURST:
                record.msg, record.args = (
                    f"{record.getMessage()} ({count - BURST} more like it kept back)",
                    (),
                )
            begun, count = now, 0
        self._windows[key] = (begun, count + 1)
        return count < BURST


class Quiet(logging.Filter):
    """Keeps back what the libraries repeat: aiokafka's complaints in an outage, and whatever Faust says of a crash,
    which has its one line already or gets it at once."""

    def __init__(self, is_ending: Callable[[], bool]) -> None:
        super().__init__()
        self.is_ending = is_ending
        self.limit = RateLimit()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        if record.name.startswith("aiokafka"):
            return not self.is_ending() and self.limit.filter(record)
        if record.name.startswith(LIBRARIES):
            return not self.is_ending() and not str(record.msg).startswith(CRASHES)
        return True


def set_up(is_ending: Callable[[], bool], level: str | None = None) -> int:
    """Send every logger to standard output; returns the level (default: SPENDGATE_LOG_LEVEL, then info).

    ``is_ending`` says whether the process is on its way out because of a crash.
    """
    number = logging.getLevelNamesMapping().get((level or os.environ.get(LEVEL, "info")).upper(), logging.INFO)
    debugging = number <= logging.DEBUG
    style = JsonLine if os.environ.get(FORMAT) == "json" else Line
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(style(traces=debugging))
    if not debugging:
        handler.addFilter(Quiet(is_ending))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in (*LIBRARIES, "aiokafka"):
        logging.getLogger(name).setLevel(number if debugging else max(number, logging.WARNING))
    return number
