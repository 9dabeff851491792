"""The first five minutes: a door of one's own, one event through it, a policy drafted, simulated and staged, and the
next events judged by it. Every step prints the command that does the same by hand."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
from rich.console import Console

from dev.agents import process, workers
from dev.errors import StackError
from dev.ground import made_topics, running_stack
from dev.places import home
from dev.ports import free_port
from dev.stack import Stack
from policy_store import api_keys, tenants
from policy_store.api_keys import Role
from policy_store.change import Changes
from policy_store.database import Database
from policy_store.migrate import migrate
from policy_store.signing import make_key_file
from spendgate.cli.kafka_client import TopicReader
from spendgate.model.canonical import usd_text
from spendgate.model.decision import Decision
from spendgate.model.topics import Topics

ROLES: tuple[Role, ...] = ("ingest", "editor", "approver", "operator")
WITHIN_S = 60.0
KEY_LASTS_MS = 86_400_000
POLICY = """\
apiVersion: spendgate/v1
kind: Policy
metadata: {name: first-cap, description: What a team may spend in a day.}
spec:
  rules:
    - budget: {cap_usd: "0.015", window: {calendar: day, timezone: UTC}, per: [team], on_breach: deny}
"""
T = TypeVar("T")


@dataclass(frozen=True)
class Desk:
    """Where the quickstart sits: its tenant, the door's address, a key of each role, and the ground below."""

    tenant: str
    url: str
    keys: dict[Role, str]
    folder: Path
    stack: Stack
    topics: Topics
    console: Console

    def client(self, role: Role) -> httpx.Client:
        """A client with the key of a role."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.keys[role]}"}, timeout=30)

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
    with running_stack(console.log if as_json else console.print) as stack, ExitStack() as exits:
        desk = exits.enter_context(_opened(stack, console))
        try:
            facts = _story(desk)
        except httpx.TransportError:
            raise StackError(f"the door does not answer (its log: {desk.folder / 'door.log'})") from None
        if as_json:
            sys.stdout.write(json.dumps(facts) + "\n")
        if not leave and not as_json:
            _linger(desk)


@contextmanager
def _opened(stack: Stack, console: Console) -> Iterator[Desk]:
    """A store, a door and the agents, on the stack."""
    topics = made_topics(stack.bootstrap)
    folder, port = home() / "quickstart", free_port()
    folder.mkdir(parents=True, exist_ok=True)
    database, tenant = Database(f"sqlite:///{folder / 'store.db'}"), f"quickstart-{datetime.now(UTC):%m%d-%H%M%S}"
    migrate(database)
    key_file = folder / "store.pem"
    if not key_file.exists():
        make_key_file(key_file)
    keys = _keys(Changes(database), tenant)
    database.close()
    environment = {
        "SPENDGATE_KAFKA": stack.bootstrap, "SPENDGATE_STORE": f"sqlite:///{folder / 'store.db'}",
        "SPENDGATE_STORE_KEY_FILE": str(key_file), "SPENDGATE_REDIS": stack.redis_url,
        "SPENDGATE_LEDGER": str(home() / "ledger"),
        "SPENDGATE_REPLICATION": "1", "SPENDGATE_HTTP_PORT": str(port), "SPENDGATE_HTTP_HOST": "127.0.0.1",
    }  # fmt: skip
    with (
        workers(1, stack, folder, home() / "ledger", "quickstart"),
        process(["gateway_shadow.app"], environment, folder / "door.log") as door,
    ):
        desk = Desk(tenant, f"http://127.0.0.1:{port}", keys, folder, stack, topics, console)
        _until(lambda: door.poll() is not None or _answers(desk), "the door to answer", desk)
        if door.poll() is not None:
            raise StackError(f"the door ended (its log: {folder / 'door.log'})")
        yield desk


def _keys(changes: Changes, tenant: str) -> dict[Role, str]:
    """A tenant of one person, with a key of each role for a day."""
    with changes.of(tenant, "(quickstart)") as change:
        tenants.create(change, one_person=True)
        ends = change.now_ms + KEY_LASTS_MS
        return {role: api_keys.create(change, "you", role, ends).text for role in ROLES}


def _answers(desk: Desk) -> bool:
    try:
        return httpx.get(f"{desk.url}/health/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _story(desk: Desk) -> dict[str, Any]:
    """The steps; what they found."""
    desk.result(f"the door is {desk.url}; the tenant {desk.tenant}; keys for a day, one a role")
    first = _send(desk, "Send one metered event", 0)
    before = _decision(desk, first)
    _policy(desk)
    simulated = _simulate(desk)
    staged = _stage(desk)
    after = [_decision(desk, _send(desk, "Send the next", number)) for number in (1, 2)]
    return {
        "url": desk.url, "tenant": desk.tenant, "first": before.verdict, "full_windows": simulated["full_windows"],
        "staging": staged["id"], "state": staged["state"], "after": [each.verdict for each in after],
    }  # fmt: skip


def _send(desk: Desk, what: str, number: int) -> str:
    event = {
        "id": f"first-{number}", "time": datetime.now(UTC).isoformat(), "team": "claims", "vendor": "openai",
        "model": "gpt-4o", "input_tokens": 2000, "output_tokens": 100,
    }  # fmt: skip
    body = json.dumps(event)
    desk.say(
        what,
        f"curl {desk.url}/v1/events -H 'Authorization: Bearer {desk.keys['ingest']}' "
        f"-H 'Content-Type: application/json' -d '{body}'",
    )
    with desk.client("ingest") as client:
        answer = _good(client.post("/v1/events", content=body, headers={"Content-Type": "application/json"}))
    desk.result(json.dumps(answer))
    return str(event["id"])


def _decision(desk: Desk, event_id: str) -> Decision:
    """Wait for the decision about an event, and say it."""
    desk.say("See what the policies would have said", f"spendgate decisions --tenant {desk.tenant}")

    def found() -> Decision | None:
        for value in _values(desk, desk.topics.decisions.name):
            for each in msgspec.json.decode(value, type=list[Decision]):
                if (each.tenant, each.event_id) == (desk.tenant, event_id):
                    return each
        return None

    decision = _until(found, f"the decision about {event_id}", desk)
    cost = "no price" if decision.cost_nano_usd is None else f"${usd_text(decision.cost_nano_usd)}"
    why = ", ".join(f"{each.policy}: {each.code}" for each in decision.reasons) or "no policy looks at it"
    desk.result(f"{decision.event_id}: {decision.verdict} ({cost}; {why})")
    return decision


def _policy(desk: Desk) -> None:
    file = desk.folder / "first-cap.yaml"
    file.write_text(POLICY, encoding="utf-8")
    desk.say("Draft a policy", f"spendgate policy create {file}")
    desk.result(POLICY.replace("\n", "\n  ").rstrip())
    with desk.client("editor") as client:
        made = _good(client.post("/v1/policies", content=POLICY, headers={"Content-Type": "application/yaml"}))
    desk.result(f"{made['latest']['state']}: {made['name']} {made['latest']['hash'][:12]}")


def _simulate(desk: Desk) -> dict[str, Any]:
    """Simulate over the ledger, once it holds the first event."""
    desk.say("Simulate it over what was recorded", "spendgate policy simulate first-cap")

    def found() -> dict[str, Any] | None:
        with desk.client("editor") as client:
            hash_ = _good(client.get("/v1/policies/first-cap"))["latest"]["hash"]
            at, waits = f"/v1/policies/first-cap/versions/{hash_}/simulations", {"Prefer": "wait=20"}
            answer = client.post(at, headers=waits)
        return answer.json() if answer.status_code == 200 and answer.json()["from"] else None

    simulated = _until(found, "the event in the ledger", desk)
    desk.result(f"{simulated['full_windows']} full windows of history: a day is not over yet")
    return simulated


def _stage(desk: Desk) -> dict[str, Any]:
    waiver = "a first try, without history"
    desk.say(
        "Stage it in shadow (without a full window of history that takes a reason)",
        f"spendgate policy submit first-cap --waiver '{waiver}'; spendgate policy approve STAGING",
    )
    with desk.client("editor") as editor, desk.client("approver") as approver:
        hash_ = _good(editor.get("/v1/policies/first-cap"))["latest"]["hash"]
        asked = _good(editor.post("/v1/policies/first-cap/stagings", json={"hash": hash_, "waiver": waiver}))
        tag = {"If-Match": f'"{asked["revision"]}"'}
        staged = _good(approver.post(f"/v1/stagings/{asked['id']}/approve", json={"why": "mine alone"}, headers=tag))
    wanted = f'"{staged["id"]}"'.encode()
    log = desk.topics.events.name
    _until(lambda: any(wanted in value for value in _values(desk, log)), "the record in the log", desk)
    desk.result(f"{staged['state']}: {staged['policy']} as {staged['id']}, which its own author has approved")
    return staged


def _values(desk: Desk, topic: str) -> list[bytes]:
    with TopicReader(desk.stack.bootstrap, topic, WITHIN_S, lambda _: None) as reader:
        return [row.value or b"" for row in reader.rows()]


def _good(answer: httpx.Response) -> dict[str, Any]:
    if not answer.is_success:
        raise StackError(f"the door answered {answer.status_code}: {answer.json().get('detail', '')}")
    found: dict[str, Any] = answer.json()
    return found


def _until(ask: Callable[[], T | None], what: str, desk: Desk) -> T:
    deadline = time.monotonic() + WITHIN_S
    while not (found := ask()):
        if time.monotonic() > deadline:
            raise StackError(f"not within {WITHIN_S:g} s: {what} (logs: {desk.folder})")
        time.sleep(0.2)
    return found


def _linger(desk: Desk) -> None:
    """Keep everything up until Ctrl-C."""
    lines = (
        "\nEverything stays up until Ctrl-C. In another terminal:",
        f"export SPENDGATE_URL={desk.url} SPENDGATE_API_KEY={desk.keys['editor']}",
        "spendgate policy history first-cap",
        f"{desk.url}/docs shows the whole API.",
    )
    for line in lines:
        desk.console.print(line, markup=False, highlight=False, soft_wrap=True)
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)
