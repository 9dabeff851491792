"""A disk that is full: a small file system of its own, which a file fills."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dev.commands import run
from dev.errors import StackError

SIZE_MB = 256
_MB = b"\0" * (1 << 20)


class Disk:
    """A mounted tmpfs at ``place``."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._ballast = place / "ballast"

    def fill(self) -> None:
        """Leave no byte free."""
        with self._ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(_MB)

    def free(self) -> None:
        """Give it back."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """Mount it, and unmount it again. Raises StackError without the right to mount."""
    if os.geteuid() != 0:
        raise StackError("a full disk needs root: it mounts a tmpfs, which is filled")
    place, log = folder / "disk", folder / "disk.log"
    place.mkdir()
    run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(place)], log)
    try:
        yield Disk(place)
    finally:
        run(["umount", "--lazy", str(place)], log)
