"""The chapters of the gate: proven; a counter is altered behind its back; the cause is named; rebuilt; proven again."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dev.demo_gate.facts import Facts
from dev.demo_gate.ground import TENANT
from dev.demo_gate.month import TEAM, month_of
from dev.demo_gate.shadow import NAME
from dev.demo_gate.telling import Teller, usd
from dev.errors import StackError
from spendgate.model.reconciliation import CriterionName

DRIFT_NANO_USD = -7
"""What a sum of some thousand additions in floating point is easily off by."""
COUNTERS: CriterionName = "counters"
_COMMANDS_WITHIN_S = 90


def proven(teller: Teller, staging: str) -> None:
    """Wait for a round of the reconciliation that opens the gate."""
    teller.chapter("Reconciliation replays the ledger, and the gate looks at what came of it")
    gate = _wait(teller, staging, "ready")
    teller.command(f"spendgate gate {NAME}")
    for each in gate["criteria"]:
        measured = each["measured"] if each["unit"] else {1: "yes", 0: "no"}.get(each["measured"])
        waived = f"; waived: {each['waiver']}" if each["waiver"] else ""
        teller.say(f"{each['outcome']:<13}{each['words']}{waived}: {measured} {each['unit']}".rstrip())
    teller.say(f"{gate['state']}: every criterion is met, or waived with a reason.")


def altered(teller: Teller, staging: str, facts: Facts) -> None:
    """Alter a counter, and see the gate shut and why."""
    teller.chapter("Somebody alters a counter in Redis behind its back, as a drifting INCRBYFLOAT would")
    before = _round(teller, staging)
    was, is_now = drift(teller, staging)
    teller.say(f"team {TEAM} this month: {usd(was)} is {usd(is_now)} now.")
    gate = _wait(teller, staging, "blocked", after=before)
    wrong = [each for each in gate["criteria"] if each["outcome"] == "fail"]
    teller.command(f"spendgate gate {NAME}")
    teller.say(f"{gate['state']}: {gate['missing'][0]}")
    facts.altered_counter_closed_gate = [each["name"] for each in wrong] == [COUNTERS]
    teller.command(f"curl $SPENDGATE_URL/v1/reconciliations/{gate['round']}")
    result = teller.good("cat", "GET", f"/v1/reconciliations/{gate['round']}")["result"]
    differing = [cell for part in result["counters"]["partitions"] for cell in part.get("differing", ())]
    for cell in differing:
        teller.say(
            f"{cell['policy']} {cell['staging']} rule {cell['rule']}, {cell['key']}, window from "
            f"{cell['window_start'][:10]}: the log says {usd(cell['expected_nano_usd'])}, Redis holds "
            f"{usd(cell['found_nano_usd'])}."
        )
    facts.cause_named = [
        (each["staging"], each["key"], each["expected_nano_usd"], each["found_nano_usd"]) for each in differing
    ] == [(staging, f"team={TEAM}", was, is_now)]


def rebuilt(teller: Teller, staging: str, facts: Facts) -> None:
    """Have the counters built anew from the log, and see the gate open."""
    teller.chapter("The counters are built anew from the log")
    before = _round(teller, staging)
    done = spendgate(teller, "counters", "rebuild", "--tenant", TENANT, "--json")
    cells = sum(part["cells"] for part in done["partitions"])
    teller.say(f"{cells:,} cells, built anew from the log; equal to it: {'yes' if done['equal'] else 'no'}.")
    gate = _wait(teller, staging, "ready", after=before)
    held = teller.good("cat", "GET", f"/v1/stagings/{staging}/certificate")
    teller.say(f"{gate['state']}, and certified: {held['id']}, until {held['expires_at'][:16]}Z.")
    facts.rebuilt_gate_opened = bool(done["equal"]) and gate["state"] == "ready" and bool(held["holds"])


def drift(teller: Teller, staging: str) -> tuple[int, int]:
    """Alter this month's counter of the team; what it was and is, nano-USD."""
    start_ms = int(month_of(teller.ground.clock.now()).timestamp() * 1000)
    slot, cell = teller.ground.counters.slot(f"{TENANT} {staging} 0 {start_ms}"), f"a0 team={TEAM}"
    with teller.ground.redis() as client:
        was = int(client.hget(slot, cell) or 0)
        teller.command(f"redis-cli HINCRBYFLOAT {slot.decode()!r} {cell!r} {DRIFT_NANO_USD}")
        return was, int(client.hincrbyfloat(slot, cell, DRIFT_NANO_USD))


def spendgate(teller: Teller, *arguments: str) -> dict[str, Any]:
    """The command as an operator runs it; its JSON."""
    teller.command(f"spendgate {' '.join(arguments)}")
    program = Path(sys.executable).with_name("spendgate")
    done = subprocess.run(
        [program, *arguments], env=_environment(teller), capture_output=True, text=True, check=False,
        timeout=_COMMANDS_WITHIN_S,
    )  # fmt: skip
    if not done.stdout.startswith("{"):
        raise StackError(f"spendgate {arguments[0]} ended with {done.returncode}: {done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _environment(teller: Teller) -> Mapping[str, str]:
    return {**os.environ, **teller.ground.environment}


def _gate(teller: Teller, staging: str) -> dict[str, Any]:
    found: dict[str, Any] = teller.good("cat", "GET", f"/v1/stagings/{staging}/gate")
    return found


def _round(teller: Teller, staging: str) -> str:
    """When the latest round was."""
    return str(_gate(teller, staging)["round_at"])


def _wait(teller: Teller, staging: str, state: str, after: str = "") -> dict[str, Any]:
    """The gate, once a round since ``after`` has brought it into a state."""

    def found() -> dict[str, Any] | None:
        gate = _gate(teller, staging)
        return gate if gate["state"] == state and gate["round_at"] is not None and gate["round_at"] > after else None

    try:
        return teller.until(found, f"the gate to be {state}")
    except StackError as error:
        missing = _gate(teller, staging)["missing"]
        raise StackError(f"{error}: {'; '.join(missing)}") from None
