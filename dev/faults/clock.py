"""A clock that workers see and this program sets, by libfaketime; the machine's is left alone."""

from pathlib import Path

from dev.errors import StackError
from dev.install import Tool, find_or_install
from dev.report import silent

_FAKETIME = Tool("faketime", "libfaketime", "faketime", {"dnf": "libfaketime", "brew": "libfaketime"})
_PLACES = ("/usr/lib", "/usr/lib64", "/usr/local/lib")


class Clock:
    """Wall-clock time of the processes that get ``environment``; their monotonic clock stays true."""

    def __init__(self, folder: Path) -> None:
        find_or_install(_FAKETIME, folder / "setup.log", silent)
        self._file = folder / "clock"
        self.offset_s = 0.0
        self.step(0)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to see it."""
        return {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, offset_s: float) -> None:
        """Set it so many seconds before or after the true time."""
        self.offset_s = offset_s
        whole = self._file.with_suffix(".new")
        whole.write_text(f"{offset_s:+f}\n")
        whole.rename(self._file)


def _library() -> Path:
    found = [each for place in _PLACES for each in Path(place).glob("**/faketime/libfaketimeMT.so.1")]
    if not found:
        raise StackError("libfaketime is installed, and libfaketimeMT.so.1 is in none of its usual places")
    return found[0]
