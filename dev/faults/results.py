"""Results on disk, a file for each part of a fault under a seed, so that a matrix goes on where it was broken off."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from dev.faults.fault import Fault
from dev.faults.score import Overshoot, Score, together

Part = Literal["ours", "enforced", "obvious"]
PARTS: tuple[Part, ...] = ("ours", "enforced", "obvious")
FIELDS = (
    "wrong_decisions", "events_lost", "events_doubled", "decisions_differing", "counter_error_nano_usd",
    "overshoot_nano_usd", "recovered_s", "cause_named",
)  # fmt: skip
_T = TypeVar("_T", bound=Struct)


class Result(Struct, kw_only=True):
    """One fault under one seed. ``obvious``: None where the obvious design cannot be put through it; ``enforced``:
    None where it does not reach what enforces."""

    fault: str
    seed: int
    ours: Score
    obvious: Score | None
    enforced: Overshoot | None

    @property
    def whole(self) -> Score:
        """Ours, with what enforcing came to."""
        if self.enforced is None:
            return self.ours
        beyond = (self.ours.overshoot_nano_usd or 0) + self.enforced.nano_usd
        return msgspec.structs.replace(self.ours, overshoot_nano_usd=beyond)


class Results:
    """Those of one size of load, in a folder of their own."""

    def __init__(self, folder: Path, events: int) -> None:
        self.folder = folder / f"{events}"

    def _file(self, fault: str, seed: int, part: Part) -> Path:
        return self.folder / f"{fault}-{seed}-{part}.json"

    def has(self, fault: str, seed: int, part: Part) -> bool:
        """Whether that part was run."""
        return self._find(fault, seed, part, Overshoot if part == "enforced" else Score) is not None

    def _find(self, fault: str, seed: int, part: Part, kind: type[_T]) -> _T | None:
        """A part that was run before; one that cannot be read is run again."""
        try:
            return msgspec.json.decode(self._file(fault, seed, part).read_bytes(), type=kind)
        except (OSError, msgspec.DecodeError):
            return None

    def keep(self, fault: str, seed: int, part: Part, found: Score | Overshoot) -> None:
        """Write a part: whole, or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self._file(fault, seed, part)
        whole = file.with_suffix(".new")
        whole.write_bytes(msgspec.json.format(msgspec.json.encode(found)))
        whole.rename(file)

    def of(self, fault: str) -> list[Result]:
        """All seeds under which our system was put through a fault."""
        files = self.folder.glob(f"{fault}-*-ours.json")
        found = []
        for seed in sorted(int(file.stem.split("-")[-2]) for file in files):
            ours = self._find(fault, seed, "ours", Score)
            if ours is not None:
                obvious = self._find(fault, seed, "obvious", Score)
                enforced = self._find(fault, seed, "enforced", Overshoot)
                found.append(Result(fault=fault, seed=seed, ours=ours, obvious=obvious, enforced=enforced))
        return found

    def enforced_of(self, fault: str) -> dict[int, Overshoot]:
        """By seed, what enforcing came to under a fault."""
        files = self.folder.glob(f"{fault}-*-enforced.json")
        found = {int(file.stem.split("-")[-2]): file for file in files}
        parts = {seed: self._find(fault, seed, "enforced", Overshoot) for seed in sorted(found)}
        return {seed: part for seed, part in parts.items() if part is not None}


def line(fault: Fault, results: Sequence[Result]) -> dict[str, Any]:
    """A fault in the closing object: all seeds together, and the obvious design beside it."""
    ours = together([each.whole for each in results])
    obvious = [each.obvious for each in results if each.obvious is not None]
    enforced = [each.enforced for each in results if each.enforced is not None]
    return {
        **_figures(ours),
        "decisions": ours.decisions,
        "cause": ours.cause,
        "seeds": [each.seed for each in results],
        "enforced": _enforced(enforced) if enforced else None,
        "obvious": {**_figures(together(obvious)), "decisions": together(obvious).decisions} if obvious else None,
        **({} if fault.fits_obvious else {"obvious_why_not": fault.why_not}),
    }


def _enforced(found: Sequence[Overshoot]) -> dict[str, Any]:
    return {
        "checks": sum(each.checks for each in found),
        "calls": sum(each.calls for each in found),
        "overshoot_nano_usd": sum(each.nano_usd for each in found),
        "let_through_nano_usd": sum(each.let_through_nano_usd for each in found),
        "flag_off_nano_usd": sum(each.flag_off_nano_usd for each in found),
        "enforced_again_s": max(each.enforced_again_s for each in found),
    }


def _figures(score: Score) -> dict[str, Any]:
    return {name: getattr(score, name) for name in FIELDS}
