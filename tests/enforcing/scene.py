"""Everything that enforcing takes, on real servers: a door, a worker, an enforcement agent, and people who flip."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
from redis import Redis

from dev.ports import free_port
from dev.trial.workers import Worker
from policy_store.change import now_ms
from policy_store.signing import make_key_file
from spendgate.model.enforcement import Share
from spendgate.model.enforcement_record import Enforcement
from spendgate.model.event import Event
from spendgate.model.policy import Policy
from tests.door.conftest import TENANT, Door
from tests.door.test_end_to_end import door_onto, stage
from tests.live.waiting import until
from tests.live.world import World
from tests.store import enforced
from tests.store.conftest import Store
from window_counters.keys import keys_of
from window_counters.protocol import PartitionId

_decode = msgspec.json.Decoder(Enforcement).decode


class _Now:
    """The store's clock, which goes on by itself."""

    @property
    def ms(self) -> int:
        return now_ms()

    def __call__(self) -> int:
        return now_ms()


@dataclass
class Scene:
    """One tenant, whose policies can be enforced."""

    world: World
    folder: Path
    door: Door = field(init=False)
    agents: list[Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        topics = self.world.topics
        self.world.broker.create([topics.enforcements, topics.reviews, topics.reconciliations])
        self.key_file = self.folder / "enforcement.pem"
        self.public = make_key_file(self.key_file).public
        self.settings = {
            "SPENDGATE_REDIS": self.world.redis_url,
            "SPENDGATE_ENFORCEMENT_KEYS": self.public,
            "SPENDGATE_CHECK_S": "5",
        }
        self.door = door_onto(self.world, self.folder, **self.settings)
        self.doors = [self.door]
        self.store = Store(self.door.database, self.door.store_url, _Now(), self.door.signer)  # type: ignore[arg-type]
        self.client = self.door.as_("ingest")

    def another_door(self) -> Door:
        """One more process of the door, on the same store."""
        made = replace(self.door, port=free_port(), process=None, started=10 * len(self.doors))
        self.doors.append(made)
        made.start(**self.settings)
        return made

    def agent(self, name: str = "enforcer", **settings: str) -> Worker:
        """Start an enforcement agent."""
        environment = {
            **self.world.environment(), "SPENDGATE_INSTANCE": f"{self.world.prefix}{name}",
            "SPENDGATE_GROUP": f"{self.world.prefix}enforcement", "SPENDGATE_STORE": self.door.store_url,
            "SPENDGATE_STORE_KEYS": self.door.signer.public, "SPENDGATE_ENFORCEMENT_KEY_FILE": str(self.key_file),
            **settings,
        }  # fmt: skip
        output = self.folder / f"{name}-{len(self.agents)}.log"
        self.agents.append(Worker.start(output, environment, "enforcement"))
        return self.agents[-1]

    def staged(self, policy: Policy) -> str:
        """Stage a policy in shadow, and wait until a worker has passed it."""
        return stage(self.door, self.world, policy)

    def levels_on(self) -> None:
        """The flag's two upper levels, on."""
        enforced.levels_on(self.store)

    def flipped(self, staging: str, share: Share | None = None) -> None:
        """Prove a staging, and turn it on by two people."""
        enforced.record(self.store, enforced.state_of(self.store, staging))
        enforced.confirm(self.store, "cat", enforced.ask(self.store, "bob", "policy", staging, share))

    def enforced(self, policy: Policy, share: Share | None = None) -> str:
        """A policy that is enforced by now."""
        staging = self.staged(policy)
        self.levels_on()
        self.flipped(staging, share)
        self.wait_for_lease(staging)
        return staging

    def off(self, staging: str) -> None:
        """Turn it off, by one person."""
        enforced.turn_off(self.store, "policy", staging)

    def wait_for_lease(self, staging: str) -> None:
        """Wait until a lease was granted; a door obeys it half a second later."""
        until(lambda: staging in {each.staging for each in self.records("granted")}, "a lease", 120, self.logs)

    def logs(self) -> str:
        """The end of what each process has logged."""
        logs = [each.log() for each in (*self.agents, *self.world.workers)]
        return "\n".join(each[-2000:] for each in (*logs, self.door.output.read_text()))

    def ask(self, **question: Any) -> httpx.Response:
        """The pre-call check."""
        return self.client.post("/v1/check", json=question)

    def answer(self, status: int, **question: Any) -> httpx.Response:
        """The answer of this status, asked for until it comes."""
        return self._asked_until(lambda answer: answer.status_code == status, f"{status} for {question}", question)

    def ruled(self, **question: Any) -> httpx.Response:
        """An answer that no fault has a part in, asked for until it comes: on a machine that is busy a lease may be
        lost for a moment, and then the fail mode answers."""
        return self._asked_until(lambda answer: not answer.json()["not_enforced"], f"a lease for {question}", question)

    def _asked_until(
        self, is_wanted: Callable[[httpx.Response], bool], what: str, question: Mapping[str, Any]
    ) -> httpx.Response:
        found: list[httpx.Response] = []

        def comes() -> bool:
            found.append(self.ask(**question))
            return is_wanted(found[-1])

        until(comes, what, state=lambda: f"{found[-1].text}\n{self.logs()}")
        return found[-1]

    def send(self, *events: Event) -> None:
        """Calls that were made."""
        self.world.send(list(events), per_message=max(1, len(events)))

    def records(self, kind: str | None = None) -> list[Enforcement]:
        """What enforcing did, in order."""
        rows = self.world.broker.read(self.world.topics.enforcements)
        found = [_decode(row.value) for row in rows if row.value is not None]
        return [each for each in found if kind in (None, each.kind)]

    def reserved(self) -> Mapping[str, int]:
        """What is reserved, by counter."""
        with Redis.from_url(self.world.redis_url, socket_timeout=5) as client:
            found = client.hgetall(self.keys.reserved(TENANT)[0])
        return {name.decode(): int(amount) for name, amount in found.items()}

    @property
    def keys(self) -> Any:
        """The names of the tenant's partition."""
        return keys_of(PartitionId(self.world.topics.events.name, self.world.partition(TENANT)))

    def close(self) -> None:
        """End what still runs."""
        for each in self.agents:
            if each.alive():
                each.kill()
        self.client.close()
        for door in self.doors:
            door.stop(kill=True)
        self.door.database.close()
