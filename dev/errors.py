"""What can go wrong with the local stack, each as one clear line."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT}
_UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


class StackError(Exception):
    """Something needed is missing or unreachable; the message is one line for a person. Exit code 3."""

    exit_code = 3


class PortTakenError(StackError):
    """Another program listens on a port that a server of ours was to have."""


class RunningElsewhereError(StackError):
    """The stack already runs in another way than the one asked for. Exit code 4: it is not ended unasked."""

    exit_code = 4


@contextmanager
def disk_errors_in(directory: Path) -> Iterator[None]:
    """Turn an OSError of the body into one line about ``directory``."""
    try:
        yield
    except OSError as error:
        raise StackError(_describe(error, directory)) from error


def no_space(directory: Path) -> StackError:
    """The disk under ``directory`` is full."""
    return StackError(f"no space is left on the disk under {directory}: free some, or set SPENDGATE_DEV_DIR")


def _describe(error: OSError, directory: Path) -> str:
    if error.errno in _FULL:
        return str(no_space(directory))
    if error.errno in _UNWRITABLE:
        return f"cannot write under {directory}: expected a writable directory (or set SPENDGATE_DEV_DIR)"
    return f"the machine refused, under {directory}: {error.strerror or type(error).__name__}"
