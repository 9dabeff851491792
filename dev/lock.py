"""One hand on a directory at a time, across processes."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.report import Report


@contextmanager
def locked(path: Path, report: Report, doing: str) -> Iterator[None]:
    """Hold the lock file; wait, after one line that says so, while another process does.

    The system frees the lock with the process that held it, however that ended.
    """
    with path.open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"waiting: another process is {doing}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
