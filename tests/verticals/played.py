"""A vertical played by the command, on a stack, and what must hold of what it says."""

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from dev.stack import Stack
from dev.verticals.situations import situations
from tests.verticals.days import judged_day

SEED = 7


def played(name: str, stack: Stack) -> dict[str, Any]:
    """The facts, as ``--json`` prints them."""
    spendgate = Path(sys.executable).with_name("spendgate")
    done = subprocess.run(
        [spendgate, "demo", "--vertical", name, "--seed", str(SEED), "--json"], capture_output=True, text=True,
        env={**os.environ, "SPENDGATE_DEV_DIR": str(stack.directory)}, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def require_whole(name: str, facts: dict[str, Any]) -> None:
    """All was judged, once, as the replay and the simulation say; and as the same day is judged in memory."""
    assert (facts["missing"], facts["duplicated"], facts["mismatched"]) == (0, 0, 0)
    in_memory = judged_day(name, SEED, datetime.fromisoformat(facts["until"]))  # some prices go by the hour
    assert facts["simulation"] == {"agreed": facts["decisions"], "different": 0}
    assert facts["decisions"] == len(in_memory.calls)
    assert facts["cost_nano_usd"] == sum(call.cost_nano_usd or 0 for call in in_memory.calls)
    assert facts["situations"] == situations(in_memory.events, in_memory.decisions.values()).as_dict()
    assert all(policy["full_windows"] > 0 for policy in facts["policies"])
    assert sum(facts["checks"].values()) > 0
    assert facts["suggest"] is not None
    _require_stories(facts["stories"])
    (whole,) = facts["tree"]
    assert whole["spent_nano_usd"] == sum(line["spent_nano_usd"] for line in whole["below"])


def _require_stories(stories: list[dict[str, Any]]) -> None:
    assert len(stories) >= 2
    for story in stories:
        owner = story["attribution"]
        assert len(owner["known"]) + len(owner["missing"]) == owner["of"] == 6
        assert story["decision"]["verdict"] in ("approve", "warn", "review", "deny")
    assert any(story["evidence_status"] in ("missing", "failed") for story in stories)
    assert any(story["decision"]["verdict"] == "deny" for story in stories)
