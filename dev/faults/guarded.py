"""What it takes to enforce, on the servers of a run: a store, a door, a worker, an enforcement agent, two caps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec

from dev.faults.arena import Servers
from dev.ports import free_port
from dev.trial import proven
from dev.trial.waiting import until
from dev.trial.workers import Worker
from dev.trial.world import World
from policy_store import api_keys, policies, stagings, tenants
from policy_store.change import Changes
from policy_store.database import Database
from policy_store.migrate import migrate
from policy_store.signing import make_key_file
from spendgate.model.enforcement_record import Enforcement
from spendgate.model.policy import Policy

STARTED_WITHIN_S = 240.0
TENANT, DOLLAR = "acme", 10**9
CAP_NANO_USD = 2 * DOLLAR
PROBE_NANO_USD = 2 * CAP_NANO_USD
"""The estimate of a question that no call follows: whether a cap is enforced."""
TEAMS: Mapping[str, str] = {"closed": "blue", "open": "red"}
"""The team whose cap is of that fail mode."""
_decode = msgspec.json.Decoder(Enforcement).decode


def _capped(mode: str) -> Policy:
    rule = {"budget": {"cap_usd": str(CAP_NANO_USD // DOLLAR), "window": {"lifetime": True}, "per": ["team"],
                       "on_breach": "deny"}}  # fmt: skip
    spec = {"scope": {"team": [TEAMS[mode]]}, "rules": [rule],
            "enforcement": {"fail_mode": mode, "reserve_for": "1m"}}  # fmt: skip
    document = {"apiVersion": "spendgate/v1", "kind": "Policy", "metadata": {"name": f"{mode}-cap"}, "spec": spec}
    return Policy.model_validate(document)


class Guarded:
    """A tenant two of whose policies are enforced: one that is closed where a fault meets it, one that is open."""

    def __init__(
        self, on: Servers, redis_url: str, folder: Path, store_url: str | None, environment: Mapping[str, str]
    ) -> None:
        self.world = World(on.kafka.bootstrap, redis_url, folder)
        topics = self.world.topics
        self.world.broker.create([topics.enforcements, topics.reviews, topics.reconciliations])
        self.folder, self.environment = folder, dict(environment)
        self.store_url = store_url or f"sqlite:///{folder / 'store.db'}"
        self.database = Database(self.store_url)
        migrate(self.database)
        self.signer = make_key_file(folder / "store.pem")
        self.public = make_key_file(folder / "enforcement.pem").public
        self.changes = Changes(self.database)
        self.url = f"http://127.0.0.1:{free_port()}"
        self.client = httpx.Client(base_url=self.url, timeout=10)
        self.processes: dict[str, Worker] = {}
        self.stagings: dict[str, str] = {}
        self.started = 0
        self.said: list[dict[str, Any]] = []

    def begin(self) -> None:
        """Start everything, and wait until both caps hold."""
        with self.changes.of(TENANT, "root") as change:
            tenants.create(change)
            self.key = api_keys.create(change, "ann", "ingest").text
        for role in ("worker", "enforcement", "door"):
            self.start(role)
        until(self._answers, "the door to answer", STARTED_WITHIN_S, self.logs)
        for mode in TEAMS:
            self.stagings[mode] = self._staged(_capped(mode))
        for level in ("global", "tenant"):
            proven.turn_on(self.changes, self.signer, TENANT, level)
        for staging in self.stagings.values():
            proven.prove(self.changes, self.signer, TENANT, staging)
            proven.turn_on(self.changes, self.signer, TENANT, "policy", staging)
        until(self.holds, "both caps to hold", STARTED_WITHIN_S, self.logs)

    def start(self, role: str, name: str = "one") -> Worker:
        """Start a process of that role, in the place of an older one of that name."""
        self.started += 1
        module = "gateway_shadow.app" if role == "door" else "agents.app"
        output = self.folder / f"{role}-{self.started}.log"
        mine = {**self._environment(role, name), **self.environment}
        self.processes[f"{role} {name}"] = Worker.start(output, mine, role, module)
        return self.processes[f"{role} {name}"]

    def kill(self, role: str, name: str = "one") -> None:
        """kill -9, and nobody starts it again."""
        self.processes.pop(f"{role} {name}").kill()

    def supervise(self) -> None:
        """Start again what has ended."""
        for place in [place for place, process in self.processes.items() if not process.alive()]:
            self.start(*place.split())

    def _environment(self, role: str, name: str) -> dict[str, str]:
        return {
            **self.world.environment(), "SPENDGATE_STORE": self.store_url, "SPENDGATE_STORE_KEYS": self.signer.public,
            "SPENDGATE_STORE_KEY_FILE": str(self.folder / "store.pem"),
            "SPENDGATE_ENFORCEMENT_KEY_FILE": str(self.folder / "enforcement.pem"),
            "SPENDGATE_ENFORCEMENT_KEYS": self.public, "SPENDGATE_INSTANCE": f"{self.world.prefix}{role}-{name}",
            "SPENDGATE_GROUP": f"{self.world.prefix}{role}", "SPENDGATE_CHECK_S": "2",
            "SPENDGATE_HTTP_PORT": self.url.rpartition(":")[2] if role == "door" else "0",
        }  # fmt: skip

    def _staged(self, policy: Policy) -> str:
        with self.changes.of(TENANT, "ann") as change:
            found = policies.create(change, policy, "-")
            asked = stagings.submit(change, policy.metadata.name, found.latest.hash, "a trial")
        with self.changes.of(TENANT, "bob") as change:
            return stagings.approve(change, asked.id, asked.revision, self.signer).id

    def _answers(self) -> bool:
        try:
            return self.client.get("/health/live").status_code == 200
        except httpx.TransportError:
            return False

    def ask(self, **question: Any) -> dict[str, Any]:
        """What the pre-call check answers; nothing while the door does not."""
        try:
            bearer = {"Authorization": f"Bearer {self.key}"}
            found = self.client.post("/v1/check", json=question, headers=bearer)
            return dict(found.json())
        except (httpx.TransportError, ValueError):
            return {}

    def holds(self) -> bool:
        """Whether both caps are enforced now: a call that is dearer than they are is refused, and by no fault."""
        self.supervise()
        self.said = [self.ask(team=team, estimate_nano_usd=PROBE_NANO_USD) for team in TEAMS.values()]
        return all(each.get("blocked") == "deny" and not each.get("not_enforced") for each in self.said)

    def let_through_nano_usd(self, mode: str) -> int:
        """What was recorded as let through by a fault, but for questions that no call was to follow."""
        rows = self.world.broker.read(self.world.topics.enforcements)
        found = [_decode(row.value) for row in rows if row.value is not None]
        mine = [each for each in found if each.kind == "let_through" and each.staging == self.stagings[mode]]
        return sum(each.estimate_nano_usd or 0 for each in mine if each.estimate_nano_usd != PROBE_NANO_USD)

    def logs(self) -> str:
        """The end of what each process has logged."""
        ends = [f"{place}: {process.log()[-1200:]}" for place, process in self.processes.items()]
        return "\n".join([str(self.said), *ends])

    def close(self) -> None:
        """End everything."""
        for process in self.processes.values():
            process.kill()
        self.client.close()
        self.world.close()
        self.database.close()
