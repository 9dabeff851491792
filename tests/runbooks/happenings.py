"""What happens between the commands of a runbook: faults, traffic, rounds of the reconciliation, people elsewhere."""

import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import msgspec
from redis import Redis

from dev.kafka_process import KafkaProcess
from dev.redis_process import RedisProcess
from dev.trial.starting import begin_again
from policy_store import flags
from policy_store.change import now_ms
from spendgate.model.policy import Policy
from spendgate.model.reconciliation_parts import CountersPart, CountersResult
from tests.door.conftest import TENANT
from tests.enforcing.scene import Scene
from tests.live.samples import a_day, budget, call, policy
from tests.live.waiting import until
from tests.runbooks.shell import Shell
from tests.store import enforced
from tests.store.conftest import Store

DOLLAR = 10**9
DAY_MS = 86_400_000
LEFT_MS = 5_000
"""How long the certificate of a story about one that ends still holds."""


def capped(name: str, fail_mode: str) -> Policy:
    """A cap of a dollar on a team's day, for the calls of one workflow."""
    rules = budget("1", a_day(), ["team"])
    enforcement = {"fail_mode": fail_mode, "reserve_for": "1m"}
    return policy(name, rules, scope={"workflow": [name]}, enforcement=enforcement)


@dataclass
class _At:
    """The store's clock, some time ago."""

    ago_ms: int

    @property
    def ms(self) -> int:
        return now_ms() - self.ago_ms

    def __call__(self) -> int:
        return self.ms


@dataclass
class Happenings:
    """What may happen, by its words: ``<what> NAME`` is of the policy of that name."""

    scene: Scene
    kafka: KafkaProcess
    redis: RedisProcess
    shell: Shell
    stagings: dict[str, str] = field(default_factory=dict)
    was_emptied: bool = False

    def happen(self, words: str) -> None:
        """Let it happen."""
        found = getattr(self, words.replace(" ", "_"), None)
        if found is None:
            what, _, name = words.rpartition(" ")
            getattr(self, what.replace(" ", "_"))(name)
        else:
            found()

    # Policies

    def staged(self, name: str, fail_mode: str = "open") -> None:
        """It is in shadow."""
        self.stagings[name] = self.scene.staged(capped(name, fail_mode))

    def a_round_passes_for(self, name: str) -> None:
        """The reconciliation agent finds nothing wrong."""
        enforced.record(self.scene.store, enforced.state_of(self.scene.store, self.stagings[name]))

    def counters_are_found_unequal_for(self, name: str) -> None:
        """The reconciliation agent finds a cell that is not what the log says."""
        part = CountersPart(
            partition=self.scene.world.partition(TENANT), topic_id="t", mark=9, slots=4, cells=9, identities=9,
            differing_cells=1, differing_identities=0, differing_documents=0, error_nano_usd=7,
        )  # fmt: skip
        found = CountersResult(equal=False, partitions=(part,))
        enforced.record(self.scene.store, enforced.state_of(self.scene.store, self.stagings[name]), counters=found)

    def enforced(self, name: str) -> None:
        """Two people have turned it on, and calls fail open."""
        self._enforce(name, "open", self.scene.store)

    def enforced_closed(self, name: str) -> None:
        """Two people have turned it on, and calls fail closed."""
        self._enforce(name, "closed", self.scene.store)

    def enforced_on_an_old_certificate(self, name: str) -> None:
        """Enforced for nearly as long as its certificate holds."""
        ago = _At(7 * DAY_MS - LEFT_MS)
        store = replace(self.scene.store, clock=ago)  # type: ignore[arg-type]
        self._enforce(name, "open", store)

    def _enforce(self, name: str, fail_mode: str, store: Store) -> None:
        self.staged(name, fail_mode)
        staging = self.stagings[name]
        self.levels_are_on()
        enforced.record(store, enforced.state_of(store, staging))
        enforced.confirm(store, "dan", enforced.ask(store, "cat", "policy", staging))
        if store is self.scene.store:
            self.scene.wait_for_lease(staging)

    def levels_are_on(self) -> None:
        """The upper two flags are on."""
        with self.scene.store.database.read() as connection:
            view = flags.read_flags(connection)
        for level, is_on in (("global", view.is_global_on), ("tenant", TENANT in view.tenants_on)):
            if not is_on:
                enforced.confirm(self.scene.store, "dan", enforced.ask(self.scene.store, "cat", level))  # type: ignore[arg-type]

    def nothing_is_on(self) -> None:
        """All flags are off."""
        enforced.turn_off(self.scene.store, "global")
        enforced.turn_off(self.scene.store, "tenant")

    # Calls

    def its_cap_is_used_up(self, name: str) -> None:
        """Calls of the day have come to the cap."""
        event = msgspec.structs.replace(call(TENANT, f"{name}-{now_ms()}", datetime.now(UTC), DOLLAR), workflow=name)
        self.scene.send(event)
        self.scene.world.settle()

    def is_denied(self, name: str) -> None:
        """A call is blocked."""
        until(lambda: self._status(name) == 429, f"calls of {name} to be denied", 180, self.scene.logs)

    def is_allowed(self, name: str) -> None:
        """A call goes on."""
        until(lambda: self._status(name) == 200, f"calls of {name} to be allowed", 180, self.scene.logs)

    def _status(self, name: str) -> int:
        return self.scene.ask(team="red", workflow=name, estimate_nano_usd=1).status_code

    # Faults

    def a_counter_is_altered_of(self, name: str) -> None:
        """Somebody writes into Redis."""
        keys = self.scene.keys
        with Redis.from_url(self.scene.world.redis_url) as client:
            (slot,) = client.keys(keys.slot(f"{TENANT} {self.stagings[name]} 0 ") + b"*")
            client.hincrbyfloat(slot, "a0 team=red", -7)

    def tidy_up(self) -> None:
        """Nothing is on, everything runs; and no reservation can be missing, so that nothing has to be waited for."""
        if not self.kafka.alive:
            self.kafka_is_back()
        self.nothing_is_on()
        if self.was_emptied:
            time.sleep(2)  # by now the agent has read that nothing is on
            self.redis_is_emptied()
            self.was_emptied = False
        self.the_log_is_applied()

    def redis_is_emptied(self) -> None:
        """All keys are gone."""
        self.was_emptied = True
        with Redis.from_url(self.scene.world.redis_url) as client:
            client.flushall()

    def kafka_stops(self) -> None:
        """The broker is gone."""
        self.kafka.kill()

    def kafka_is_back(self) -> None:
        """The same broker, with its data."""
        begin_again(self.kafka)

    def the_log_is_applied(self) -> None:
        """The worker has applied all that stands on the log."""
        for row in self.scene.door.rows():
            self.scene.world.broker.ends[row.partition] = row.offset + 1
        until(self.scene.world.applied, "every record applied", 180, self.scene.logs)

    def the_worker_is_replaced(self) -> None:
        """It ends, and another one takes its place."""
        self.scene.world.workers[-1].kill()
        self.scene.world.worker()

    def the_agent_is_replaced(self) -> None:
        """The enforcement agent ends, and another one takes its place."""
        self.scene.agents[-1].kill()
        self.scene.agent()
