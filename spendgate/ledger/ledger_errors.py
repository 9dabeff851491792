"""What can be wrong with a ledger, each in one line that says what to do; and deltalake's faults turned into it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from deltalake.exceptions import CommitFailedError, DeltaError, SchemaMismatchError, TableNotFoundError


class LedgerError(Exception):
    """The ledger cannot be used as asked. The message is fit for a user and holds no content of events."""


class LedgerMissing(LedgerError):
    """There is no ledger, or no such version of it, at this place."""


class LedgerUnreadable(LedgerError):
    """A Delta log or a data file is damaged, half written, or does not hold what a ledger holds."""


class LedgerTooNew(LedgerError):
    """The ledger was written by a newer Spendgate or a newer Delta than this one."""


class LedgerAway(LedgerError):
    """The storage refused or does not answer: a full disk, missing rights, no network."""


class LedgerOvertaken(LedgerError):
    """Another writer has gone on with the same topic partition, import or compaction. Nothing was recorded."""


_NEWER = re.compile(r"unsupported|not supported|not yet supported", re.IGNORECASE)
_GONE = re.compile(r"end version|no files in log segment|invalid table version", re.IGNORECASE)
_LOST = re.compile(r"NotFound|No such file|Object at location .* not found")
_STORAGE = re.compile(
    r"Permission denied|PermissionDenied|No space left|Read-only file system|File too large|Generic \w+ error|os error"
)


@contextmanager
def told_of(where: str) -> Iterator[None]:
    """Turn what deltalake, pyarrow and the system raise about the table at ``where`` into a LedgerError."""
    try:
        yield
    except CommitFailedError:
        raise LedgerOvertaken(
            f"{where}: another writer has committed the same meanwhile; nothing was recorded: read again, then retry"
        ) from None
    except TableNotFoundError:
        raise LedgerMissing(f"{where}: expected a Delta table; is this the folder of a ledger?") from None
    except SchemaMismatchError:
        raise LedgerUnreadable(f"{where}: expected the columns of a ledger; who wrote it?") from None
    except DeltaError as error:
        raise _of_delta(where, str(error)) from None
    except OSError as error:
        raise _of_system(where, error) from None
    except pa.ArrowException:
        raise LedgerUnreadable(
            f"{where}: a data file is damaged, see `ledger verify`: restore it from a copy"
        ) from None


def _of_delta(where: str, text: str) -> LedgerError:
    if _STORAGE.search(text) and not _NEWER.search(text):
        return LedgerAway(
            f"{where}: the storage refused ({_reason(text)}): mend it, then retry; nothing is recorded twice"
        )
    if _NEWER.search(text):
        return LedgerTooNew(f"{where}: written by a newer Delta than this one reads: upgrade spendgate and deltalake")
    if _GONE.search(text):
        return LedgerMissing(f"{where}: no such version; older ones go when the log is cleaned up, see `ledger info`")
    return LedgerUnreadable(
        f"{where}: the Delta log cannot be read, it is damaged or half written: "
        "restore _delta_log from a copy, or import into a new folder"
    )


def _of_system(where: str, error: OSError) -> LedgerError:
    text = str(error)
    if isinstance(error, FileNotFoundError) or _LOST.search(text):
        return LedgerUnreadable(
            f"{where}: a file that the Delta log names is gone: restore it from a copy, "
            "or open a version after the last vacuum"
        )
    return LedgerAway(f"{where}: the storage refused ({_reason(text)}): mend it, then retry")


def _reason(text: str) -> str:
    """The operating system's own few words, where they are among the known ones."""
    known = re.search(r"Permission denied|No space left on device|Read-only file system|File too large", text)
    return known[0] if known else "see its own log"
