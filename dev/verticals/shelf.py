"""Where verticals stand: a folder each, with one file that says what its work is, and its policies."""

from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from dev.places import CHECKOUT
from dev.verticals.kit import Vertical
from spendgate.model.policy import Policy
from spendgate.model.policy_source import read_policy

SHELF = CHECKOUT / "examples" / "verticals"


class NoVertical(Exception):
    """What was asked for is none; the message says what was expected."""


@dataclass(frozen=True)
class Chosen:
    """A vertical as it was found in ``folder``: its work, and its policies with their files."""

    folder: Path
    vertical: Vertical
    files: list[Path]
    policies: list[Policy]

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        return self.folder.name


def names() -> list[str]:
    """Those that come along."""
    return sorted(path.name for path in SHELF.iterdir() if (path / "policies").is_dir())


def chosen(name: str) -> Chosen:
    """One of them by name, or that of a folder of your own. Raises NoVertical."""
    folder = SHELF / name if name in names() else Path(name)
    files, work = sorted((folder / "policies").glob("*.yaml")), sorted(folder.glob("*.py"))
    if len(work) != 1 or not files:
        raise NoVertical(
            f"vertical: expected one of {', '.join(names())}, or a folder with one Python file and policies/*.yaml"
        )
    policies = [read_policy(path.read_text(encoding="utf-8"), path.name) for path in files]
    return Chosen(folder.resolve(), _vertical(work[0]), files, policies)


def _vertical(path: Path) -> Vertical:
    spec = spec_from_file_location(f"vertical_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found = getattr(module, "VERTICAL", None)
    if not isinstance(found, Vertical):
        raise NoVertical(f"{path.name}: expected a VERTICAL, of dev.verticals.kit")
    return found
