"""Write ``grafana/dashboards``, or with ``--check`` say what there is not as the code has it: then exit code 1."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dev.dashboards.budgets import budgets
from dev.dashboards.gate import gate
from dev.dashboards.shadow import shadow
from dev.dashboards.stream import stream

FOLDER = Path(__file__).resolve().parents[2] / "grafana" / "dashboards"
BOARDS = {"shadow-decisions": shadow, "budgets-and-burn": budgets, "stream-health": stream,
          "gate-and-enforcement": gate}  # fmt: skip
BESIDE = {"useValueForTime", "titleFormat", "step"}
"""Fields of an annotation that belong to the data source, and not to Grafana's schema."""


def texts() -> dict[str, str]:
    """By file name, each dashboard as JSON. Raises ValueError for one that is not of Grafana's schema."""
    found = {}
    for name, make in BOARDS.items():
        text = json.dumps(make().build(), cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"
        if wrong := outside_the_schema(json.loads(text)):
            raise ValueError(f"{name}: not of Grafana's schema: {', '.join(wrong)}")
        found[f"{name}.json"] = text
    return found


def outside_the_schema(document: dict[str, Any]) -> list[str]:
    """Where a dashboard is not what Grafana's typed schema reads from it and writes again, by path."""
    for mark in document["annotations"]["list"]:
        for name in BESIDE:
            mark.pop(name, None)
    again = json.loads(json.dumps(Dashboard.from_json(json.loads(json.dumps(document))), cls=JSONEncoder))
    return _differences(document, again, "")


def _differences(one: Any, other: Any, place: str) -> list[str]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        names = sorted({*one, *other})
        return [each for name in names for each in _differences(one.get(name), other.get(name), f"{place}.{name}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [each for at, (a, b) in pairs for each in _differences(a, b, f"{place}[{at}]")]
    return [] if one == other else [place.lstrip(".")]


def main(arguments: list[str]) -> int:
    """Write, or check; the exit code."""
    wanted = texts()
    if arguments == ["--check"]:
        stale = [name for name, text in wanted.items() if not _is_there(FOLDER / name, text)]
        stale += [each.name for each in sorted(FOLDER.glob("*.json")) if each.name not in wanted]
        for name in stale:
            sys.stderr.write(f"grafana/dashboards/{name}: not as dev/dashboards has it; run: make dashboards\n")
        return int(bool(stale))
    if arguments:
        sys.stderr.write("usage: python -m dev.dashboards [--check]\n")
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in wanted.items():
        (FOLDER / name).write_text(text)
    return 0


def _is_there(file: Path, text: str) -> bool:
    return file.exists() and file.read_text() == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
