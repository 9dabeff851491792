"""Where verticals stand: a folder each, with one file that says what its work is, and its policies."""

from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from dev.places import CHECKOUT
from dev.verticals.kit import Vertical
from spendgate.model.policy import Budget, LifetimeWindow, Policy
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

    @property
    def suggest(self) -> Budget | None:
        """The budget whose cap is asked for; None where ``suggest`` names none that has an answer."""
        of = self.vertical.suggest
        budgets = {
            f"{policy.metadata.name}/{at}": rule.budget
            for policy in self.policies
            for at, rule in enumerate(policy.spec.rules)
        }
        budget = budgets.get(of)
        has_answer = budget is not None and budget.on_breach == "deny" and not isinstance(budget.window, LifetimeWindow)
        return budget if has_answer else None


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
    found = Chosen(folder.resolve(), _vertical(work[0]), files, policies)
    if found.suggest is None:
        raise NoVertical(f"{work[0].name}: suggest: expected POLICY/RULE, a calendar or rolling budget that denies")
    return found


def _vertical(path: Path) -> Vertical:
    spec = spec_from_file_location(f"vertical_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # noqa: BLE001 - of somebody's own file, anything
        raise NoVertical(
            f"{path.name}: expected Python that can be imported; {type(error).__name__}: {error}"
        ) from None
    found = getattr(module, "VERTICAL", None)
    if not isinstance(found, Vertical):
        raise NoVertical(f"{path.name}: expected a VERTICAL, of dev.verticals.kit")
    return found
