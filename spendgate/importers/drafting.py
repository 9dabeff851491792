"""Policies in the making: names that are free, budgets with what warns of them, and the YAML that is written."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from spendgate.importers.carrying import Carrying, Note, shown
from spendgate.importers.values import slug_of
from spendgate.model.canonical import usd_text
from spendgate.model.money import percent_of_nano_usd
from spendgate.model.policy import MAX_RULES, Policy
from spendgate.model.policy_problems import Path

Scope = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Draft:
    """One imported policy and the fields of the input that it comes from."""

    policy: Policy
    sources: tuple[Path, ...]
    remarks: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """The name of the file that it is written to."""
        return f"{self.policy.metadata.name}.yaml"

    def text(self, origin: str) -> str:
        """The document as YAML, with comments on where it comes from; ``origin`` names the system."""
        document = self.policy.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        yaml = YAML(typ="rt")
        yaml.width, yaml.default_flow_style = 110, False
        yaml.indent(mapping=2, sequence=4, offset=2)
        stream = StringIO()
        yaml.dump(document, stream)
        sources = [f"#   {shown(path)}" for path in self.sources]
        lines = [f"# Imported from {origin}:", *sources, *(f"# {remark}" for remark in self.remarks)]
        return "\n".join(lines) + "\n" + stream.getvalue()


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import gives: policies, what they do not carry, and where they only come near."""

    drafts: tuple[Draft, ...]
    not_carried: tuple[Note, ...]
    approximated: tuple[Note, ...]


@dataclass(slots=True)
class Drafts:
    """Policies drafted so far; ``add`` gives each a name of its own."""

    system: str
    drafts: list[Draft] = field(default_factory=list)
    _names: set[str] = field(default_factory=set)

    def add(
        self,
        label: Iterable[str],
        scope: Mapping[str, Any],
        rules: Sequence[dict[str, Any]],
        sources: Sequence[Path],
        remarks: Sequence[str] = (),
    ) -> None:
        """A policy called after the system and ``label``; at most 100 rules stand in one, the rest in others."""
        for start in range(0, len(rules), MAX_RULES):
            document = {
                "apiVersion": "spendgate/v1",
                "kind": "Policy",
                "metadata": {"name": self._free("-".join(map(slug_of, [self.system, *label])))},
                "spec": {"scope": scope, "rules": rules[start : start + MAX_RULES]},
            }
            self.drafts.append(Draft(Policy.model_validate(document), tuple(sources), tuple(remarks)))

    def imported(self, carrying: Carrying) -> Imported:
        """All of it, and what of ``carrying`` is in none."""
        carrying.finish()
        left = {note.path for note in carrying.not_carried}
        near = [
            note for note in carrying.approximated if not any(note.path[:n] in left for n in range(len(note.path) + 1))
        ]
        return Imported(tuple(self.drafts), tuple(carrying.not_carried), tuple(near))

    def _free(self, name: str) -> str:
        name = name[:120]
        free, number = name, 1
        while free in self._names:
            number += 1
            free = f"{name}-{number}"
        self._names.add(free)
        return free


def budget_rules(
    cap_nano_usd: int | None,
    warn_nano_usd: int | None,
    window: dict[str, Any],
    per: Sequence[str] = (),
    on_breach: str = "deny",
) -> list[dict[str, Any]]:
    """A cap and what warns below it: a threshold where that is a whole percentage, else a budget of its own."""
    rules: list[dict[str, Any]] = []
    common = {"window": window, "per": list(per)} if per else {"window": window}
    percent = None if cap_nano_usd is None or warn_nano_usd is None else _percent(warn_nano_usd, cap_nano_usd)
    if cap_nano_usd is not None:
        warns = {"warn_at_percent": [percent]} if percent else {}
        rules.append({"budget": {"cap_usd": usd_text(cap_nano_usd), **common, **warns, "on_breach": on_breach}})
    if warn_nano_usd is not None and not percent:
        rules.append({"budget": {"cap_usd": usd_text(warn_nano_usd), **common, "on_breach": "warn"}})
    return rules


def _percent(warn_nano_usd: int, cap_nano_usd: int) -> int | None:
    """The whole percentage of the cap that the warning is, if it is one."""
    percent = 100 * warn_nano_usd // cap_nano_usd if cap_nano_usd else 0
    return percent if 1 <= percent <= 100 and percent_of_nano_usd(percent, cap_nano_usd) == warn_nano_usd else None
