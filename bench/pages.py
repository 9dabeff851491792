"""``make bench-pages``: how soon each page of the dashboard is there, how soon a draft is drawn again, and what open
live pages cost the stream; in Debian's Chromium, over a million decisions, 200 policies and 50 reviews. The last line
is one JSON object. Kafka, Redis, door, worker and browser share this machine.

``first_byte_ms``: from the request to the first byte of the answer; ``drawn_ms``: from the navigation's start to the
end of its load event and of all that the page's own scripts have fetched; ``cpu_ms``: what door and simulator have
computed meanwhile, which does not depend on what else runs; ``kb``: of everything, with an empty cache. Each is the
best of the rounds; ``first``: of the very first visit.
"""

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.pages_browser import browsing, drawing, looking
from bench.pages_data import POLICIES, REVIEWS, make_house
from bench.pages_house import Opened, opened
from bench.pages_live import watching
from dev import stack as local
from dev.chromium import CHROMIUM
from dev.places import home, shared_libs

PARTS = ("pages", "redraw", "live")
TARGETS = {"first_byte_ms": 100, "drawn_ms": 1000, "kb": 500, "redraw_ms": 1000}
LEAST_RATIO = 0.95


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m bench.pages")
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="which; all by default")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="20,000 events, two rounds")
    wish = parser.parse_args()
    events, rounds = (20_000, 2) if wish.quick else (wish.events, wish.rounds)
    if not CHROMIUM.exists():
        raise SystemExit(f"expected Debian's chromium at {CHROMIUM}")
    house = make_house(home() / "bench", events)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stack = local.up(folder / "stack", libs=shared_libs())
        try:
            with opened(folder, stack, house) as here:
                found = measured(here, folder, events, rounds, wish.parts or PARTS)
        finally:
            local.down(folder / "stack")
    for line in missed(found):
        print(f"missed: {line}")
    print(json.dumps({
        **found, "missed": missed(found), "events": events, "policies": POLICIES, "reviews": REVIEWS, "rounds": rounds,
        "processors": os.cpu_count(), "load": os.getloadavg(), "python": platform.python_version(),
        "versions": {each: version(each) for each in ("playwright", "fastapi", "uvicorn", "pyarrow", "deltalake")},
        "command": "make bench-pages",
    }))  # fmt: skip


def measured(here: Opened, folder: Path, events: int, rounds: int, parts: Sequence[str]) -> dict[str, Any]:
    """What each part has found."""
    found: dict[str, Any] = {}
    if set(parts) & {"pages", "redraw"}:
        with browsing(here) as (operator, editor):
            if "pages" in parts:
                found["pages"] = looking(operator, editor, here, rounds)
            if "redraw" in parts:
                found["redraw"] = drawing(editor, here, rounds)
    if "live" in parts:
        found["live"] = watching(here, folder, events, rounds)
    return found


def missed(found: Mapping[str, Any]) -> list[str]:
    """What is not as asked for, a line each."""
    lines = [
        f"{address}: {name} is {figures[name]}, and {most} is asked for"
        for address, figures in {**found.get("pages", {}), "redraw": found.get("redraw", {})}.items()
        for name, most in TARGETS.items()
        if figures.get(name, 0) > most
    ]
    ratios = found.get("live", {}).get("ratios", {})
    return lines + [f"{name} is {ratio}" for name, ratio in ratios.items() if ratio < LEAST_RATIO]


if __name__ == "__main__":
    main()
