"""The system of this project under a fault: shadow workers and ledger agents, as an operator runs them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from agents.delivery import Message
from dev.faults.ledgers import is_recorded
from dev.faults.load import TENANTS, Batch
from dev.trial.waiting import until
from dev.trial.workers import Worker
from dev.trial.world import World
from spendgate.model.policy import Policy

PER_MESSAGE = 250
RECORDED_WITHIN_S = 240.0
ROLES = ("ledger-events", "ledger-decisions")


class Ours:
    """A world, three policies of each tenant, and a supervisor."""

    steps: Sequence[str] = ("decoded", "read", "decided", "published", "applied", "acknowledged")

    def __init__(
        self,
        bootstrap: str,
        redis_url: str,
        folder: Path,
        policies: Sequence[Policy],
        settings: Mapping[str, str] | None = None,
        staged_ms: int | None = None,
    ) -> None:
        self.world = World(bootstrap, redis_url, folder, settings)
        self.workers = self.world.workers
        self.policies = policies
        self.gone: list[Message] = []
        self.restarts = 0
        self.environment: dict[str, str] = {}
        self.recording: dict[str, Worker] = {}
        self._kept: dict[str, Worker] = {}
        for tenant in TENANTS:
            for policy in policies:
                self.world.stage(tenant, policy, f"{policy.metadata.name}-1", at_ms=staged_ms)

    def start(self, instance: str = "one", **environment: str) -> Worker:
        """Start a worker; it is supervised unless a fault is armed in it."""
        made = self.world.worker(instance, **{**self.environment, **environment})
        self._kept.pop(instance, None)
        if "SPENDGATE_FAULT" not in environment:
            self._kept[instance] = made
        return made

    def record(self) -> None:
        """Start the ledger agents, which are supervised."""
        for role in ROLES:
            self.recording[role] = self.world.recorder(role, **self.environment)

    def dismiss(self, instance: str) -> None:
        """Supervise a worker no longer."""
        self._kept.pop(instance, None)

    def supervise(self) -> None:
        """Start again what has ended."""
        for instance in [name for name, worker in self._kept.items() if not worker.alive()]:
            self.restarts += 1
            self._kept[instance] = self.world.worker(instance, **self.environment)
        for role in [name for name, worker in self.recording.items() if not worker.alive()]:
            self.restarts += 1
            self.recording[role] = self.world.recorder(role, **self.environment)

    def send(self, batch: Batch, *, wait: bool) -> None:
        """Append a batch to the log."""
        self.world.send(batch.events, per_message=PER_MESSAGE, at_ms=batch.at_ms, wait=wait)

    def flush(self) -> None:
        """Wait until all that was sent is acknowledged."""
        self.world.broker.flush()

    def ends(self) -> dict[int, int]:
        """By partition, the offset after the last record."""
        return dict(self.world.broker.ends)

    def applied(self) -> dict[int, int]:
        """By partition, the offset after the last record that Redis holds."""
        return self.world.marks()

    def wait_for_history(self) -> None:
        """Wait until the ledger has it all."""

        def recorded() -> bool:
            self.supervise()
            return is_recorded(self.world)

        until(recorded, "every record in the ledger", RECORDED_WITHIN_S, self._logs)

    def _logs(self) -> str:
        return "\n".join(worker.log()[-1500:] for worker in self.recording.values())

    def forget(self) -> None:
        """Let all records of the log pass their retention."""
        self.gone += self.world.broker.forget(self.world.topics.events)

    def close(self) -> None:
        """End everything."""
        self.world.close()
