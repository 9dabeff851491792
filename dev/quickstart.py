"""The first five minutes: a door of one's own, one event through it, a policy drafted, simulated and staged, and the
next events judged by it. Every step prints the command that does the same by hand."""

import json
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
from rich.console import Console

from dev.errors import StackError
from dev.ground import running_stack
from dev.house import WITHIN_S, House, good, opened
from policy_store.api_keys import Role
from spendgate.cli.kafka_client import TopicReader
from spendgate.model.canonical import usd_text
from spendgate.model.decision import Decision

ROLES: tuple[Role, ...] = ("ingest", "editor", "approver", "operator")
POLICY = """\
apiVersion: spendgate/v1
kind: Policy
metadata: {name: first-cap, description: What a team may spend in a day.}
spec:
  rules:
    - budget: {cap_usd: "0.015", window: {calendar: day, timezone: UTC}, per: [team], on_breach: deny}
"""


@dataclass(frozen=True)
class Desk:
    """Where the quickstart sits, and where it speaks."""

    house: House
    console: Console

    def say(self, what: str, command: str) -> None:
        """A step, and how it is done by hand."""
        self.console.print(f"\n[bold]{what}[/bold]")
        self.console.print(f"$ {command}", markup=False, highlight=False, soft_wrap=True)

    def result(self, text: str) -> None:
        """What came of it."""
        self.console.print(f"  {text}", markup=False, highlight=False, soft_wrap=True)


def run(*, leave: bool, as_json: bool) -> None:
    """Run it; ``leave`` ends after the last step, else all stays up until Ctrl-C. Raises StackError."""
    console = Console(stderr=as_json)
    tenant = f"quickstart-{datetime.now(UTC):%m%d-%H%M%S}"
    with (
        running_stack(console.log if as_json else console.print) as stack,
        opened(stack, "quickstart", tenant, dict.fromkeys(ROLES, "you")) as house,
    ):
        desk = Desk(house, console)
        try:
            facts = _story(desk)
        except httpx.TransportError:
            raise StackError(f"the door does not answer (its log: {desk.house.folder / 'door.log'})") from None
        if as_json:
            sys.stdout.write(json.dumps(facts) + "\n")
        if not leave and not as_json:
            _linger(desk)


def _story(desk: Desk) -> dict[str, Any]:
    """The steps; what they found."""
    desk.result(f"the door is {desk.house.url}; the tenant {desk.house.tenant}; keys for a day, one a role")
    first = _send(desk, "Send one metered event", 0)
    before = _decision(desk, first)
    _policy(desk)
    simulated = _simulate(desk)
    staged = _stage(desk)
    after = [_decision(desk, _send(desk, "Send the next", number)) for number in (1, 2)]
    return {
        "url": desk.house.url, "tenant": desk.house.tenant, "first": before.verdict,
        "full_windows": simulated["full_windows"], "staging": staged["id"], "state": staged["state"],
        "after": [each.verdict for each in after],
    }  # fmt: skip


def _send(desk: Desk, what: str, number: int) -> str:
    event = {
        "id": f"first-{number}", "time": datetime.now(UTC).isoformat(), "team": "claims", "vendor": "openai",
        "model": "gpt-4o", "input_tokens": 2000, "output_tokens": 100,
    }  # fmt: skip
    body = json.dumps(event)
    desk.say(
        what,
        f"curl {desk.house.url}/v1/events -H 'Authorization: Bearer {desk.house.keys['ingest']}' "
        f"-H 'Content-Type: application/json' -d '{body}'",
    )
    with desk.house.client("ingest") as client:
        answer = good(client.post("/v1/events", content=body, headers={"Content-Type": "application/json"}))
    desk.result(json.dumps(answer))
    return str(event["id"])


def _decision(desk: Desk, event_id: str) -> Decision:
    """Wait for the decision about an event, and say it."""
    desk.say("See what the policies would have said", f"spendgate decisions --tenant {desk.house.tenant}")

    def found() -> Decision | None:
        for value in _values(desk, desk.house.topics.decisions.name):
            for each in msgspec.json.decode(value, type=list[Decision]):
                if (each.tenant, each.event_id) == (desk.house.tenant, event_id):
                    return each
        return None

    decision = desk.house.until(found, f"the decision about {event_id}")
    cost = "no price" if decision.cost_nano_usd is None else f"${usd_text(decision.cost_nano_usd)}"
    why = ", ".join(f"{each.policy}: {each.code}" for each in decision.reasons) or "no policy looks at it"
    desk.result(f"{decision.event_id}: {decision.verdict} ({cost}; {why})")
    return decision


def _policy(desk: Desk) -> None:
    file = desk.house.folder / "first-cap.yaml"
    file.write_text(POLICY, encoding="utf-8")
    desk.say("Draft a policy", f"spendgate policy create {file}")
    desk.result(POLICY.replace("\n", "\n  ").rstrip())
    with desk.house.client("editor") as client:
        made = good(client.post("/v1/policies", content=POLICY, headers={"Content-Type": "application/yaml"}))
    desk.result(f"{made['latest']['state']}: {made['name']} {made['latest']['hash'][:12]}")


def _simulate(desk: Desk) -> dict[str, Any]:
    """Simulate over the ledger, once it holds the first event."""
    desk.say("Simulate it over what was recorded", "spendgate policy simulate first-cap")

    def found() -> dict[str, Any] | None:
        with desk.house.client("editor") as client:
            hash_ = good(client.get("/v1/policies/first-cap"))["latest"]["hash"]
            at, waits = f"/v1/policies/first-cap/versions/{hash_}/simulations", {"Prefer": "wait=20"}
            answer = client.post(at, headers=waits)
        return answer.json() if answer.status_code == 200 and answer.json()["from"] else None

    simulated = desk.house.until(found, "the event in the ledger")
    desk.result(f"{simulated['full_windows']} full windows of history: a day is not over yet")
    return simulated


def _stage(desk: Desk) -> dict[str, Any]:
    waiver = "a first try, without history"
    desk.say(
        "Stage it in shadow (without a full window of history that takes a reason)",
        f"spendgate policy submit first-cap --waiver '{waiver}'; spendgate policy approve STAGING",
    )
    with desk.house.client("editor") as editor, desk.house.client("approver") as approver:
        hash_ = good(editor.get("/v1/policies/first-cap"))["latest"]["hash"]
        asked = good(editor.post("/v1/policies/first-cap/stagings", json={"hash": hash_, "waiver": waiver}))
        tag = {"If-Match": f'"{asked["revision"]}"'}
        approve = f"/v1/stagings/{asked['id']}/approve"
        staged: dict[str, Any] = good(approver.post(approve, json={"why": "mine alone"}, headers=tag))
    wanted = f'"{staged["id"]}"'.encode()
    log = desk.house.topics.events.name
    desk.house.until(lambda: any(wanted in value for value in _values(desk, log)), "the record in the log")
    desk.result(f"{staged['state']}: {staged['policy']} as {staged['id']}, which its own author has approved")
    return staged


def _values(desk: Desk, topic: str) -> list[bytes]:
    with TopicReader(desk.house.stack.bootstrap, topic, WITHIN_S, lambda _: None) as reader:
        return [row.value or b"" for row in reader.rows()]


def _linger(desk: Desk) -> None:
    """Keep everything up until Ctrl-C."""
    lines = (
        "\nEverything stays up until Ctrl-C. In another terminal:",
        f"export SPENDGATE_URL={desk.house.url} SPENDGATE_API_KEY={desk.house.keys['editor']}",
        "spendgate policy history first-cap",
        f"{desk.house.url}/docs shows the whole API.",
    )
    for line in lines:
        desk.console.print(line, markup=False, highlight=False, soft_wrap=True)
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)
