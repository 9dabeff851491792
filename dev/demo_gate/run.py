"""The story from beginning to end, on the real stack; its last line is one JSON object of what was observed."""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime

import httpx
from rich.console import Console

from dev.demo_gate.enforcing import demoted, flipped, held
from dev.demo_gate.facts import Facts
from dev.demo_gate.ground import Ground, laid
from dev.demo_gate.month import ends_soon
from dev.demo_gate.proving import altered, proven, rebuilt
from dev.demo_gate.shadow import before, looked_on, staged
from dev.demo_gate.telling import Teller
from dev.errors import StackError
from dev.ground import running_stack

UNDER_CLOCK = "dev.demo_gate.under_clock"


def run(facts: Facts) -> None:
    """Tell it, and note what was observed. Raises StackError where it cannot go on."""
    console = Console()
    now = datetime.now(UTC)
    if ends_soon(now):
        raise StackError("the month (UTC) ends within five minutes, and with it what is spent; try again then")
    with running_stack(console.print) as stack, laid(stack) as ground:
        teller = Teller(console, ground)
        try:
            _told(teller, facts, now)
        except httpx.HTTPError as error:
            raise StackError(f"the door does not answer ({type(error).__name__}; {ground.folder}/door.log)") from None


def _told(teller: Teller, facts: Facts, now: datetime) -> None:
    _explained(teller)
    staging = until_proven(teller, facts, now)
    altered(teller, staging, facts)
    rebuilt(teller, staging, facts)
    flipped(teller, staging, facts)
    held(teller, staging, facts)
    demoted(teller, staging, facts)


def until_proven(teller: Teller, facts: Facts, now: datetime) -> str:
    """The chapters up to a gate that is open; the staging's id."""
    ground = teller.ground
    ground.clock.set(before(now))
    ground.run("door", [UNDER_CLOCK, "gateway_shadow.app"], SPENDGATE_CHECK_S="5")
    ground.run("worker", [UNDER_CLOCK, "agents.app", "worker"], SPENDGATE_HTTP_PORT="0")
    for role in ("ledger-events", "ledger-decisions"):
        ground.run(role, ["agents.app", role], SPENDGATE_HTTP_PORT="0")
    teller.until(lambda: _answers(ground), "the door to answer")
    staging = staged(teller)
    ground.run("enforcement", ["agents.app", "enforcement"], SPENDGATE_HTTP_PORT="0")
    looked_on(teller, facts, now)
    pace = {"SPENDGATE_RECONCILE_S": "2", "SPENDGATE_RECONCILE_COUNTERS_S": "1"}
    ground.run("reconciliation", ["agents.app", "reconciliation"], SPENDGATE_HTTP_PORT="", **pace)
    proven(teller, staging)
    return staging


def _explained(teller: Teller) -> None:
    teller.say("A real Kafka and Redis, a door, a worker, and the ledger, reconciliation and enforcement agents.")
    teller.say(
        "What is compressed: two months. The door and the worker go by a clock of the demo's, which is set on from day"
    )
    teller.say(
        "to day and comes to the true time today; and the log takes a record's time from who writes it (CreateTime), so"
    )
    teller.say(
        "that it is of that clock too, where a real one has the broker's. From today on every clock is the machine's."
    )
    teller.say("The criteria of the gate are the defaults. A check may take 5 s here, for the machine is busy.")


def _answers(ground: Ground) -> bool:
    try:
        return httpx.get(f"{ground.url}/health/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def told(facts: Facts) -> None:
    """The last line."""
    sys.stdout.write(json.dumps(asdict(facts)) + "\n")
    sys.stdout.flush()
