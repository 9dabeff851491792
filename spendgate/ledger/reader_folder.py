"""The files of a folder, in the order in which they are read."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from spendgate.ledger.reader_problem import InputError

_OUR_OWN = (".spendgate-quarantine.jsonl", ".spendgate-sent")
_HIDDEN = (".", "_")


def files_of(folder: Path) -> Sequence[Path]:
    """All files at any depth in the order of their names; hidden ones (``.``, ``_``) and our own notes are left out.

    Raises InputError for a folder without files, and for a Delta table, whose files are not all part of it.
    """
    if (folder / "_delta_log").is_dir():
        raise InputError("expected a folder of files; this is a Delta table: use --ledger")
    found = [path for path in folder.rglob("*") if path.is_file() and _is_read(path.relative_to(folder))]
    if not found:
        raise InputError("expected a folder with files in it")
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def _is_read(path: Path) -> bool:
    return not any(part.startswith(_HIDDEN) for part in path.parts) and not path.name.endswith(_OUR_OWN)


def content_of(path: Path) -> tuple[str, int]:
    """SHA-256 and size in bytes of a file, or of all that is read of a folder, names included."""
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
    digest, size = hashlib.sha256(), 0
    for each in files_of(path):
        content, length = content_of(each)
        digest.update(f"{each.relative_to(path).as_posix()}\0{content}\n".encode("utf-8", "surrogateescape"))
        size += length
    return digest.hexdigest(), size
