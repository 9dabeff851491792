"""A replay of one partition that can be taken further, record by record, beside a worker that goes on."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from agents.policies import Documents
from agents.rebuild import Rebuild
from agents.steps import Step
from spendgate.engine.decisions import Source
from spendgate.engine.staging import is_void
from spendgate.model.policy import Policy
from spendgate.simulate.checkpoint import decode_state
from spendgate.simulate.checkpoints import Start, latest, steps_before
from spendgate.simulate.ledger_log import LedgerLog
from spendgate.simulate.replay import LogReplay
from spendgate.simulate.replay import Step as Passed

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Following:
    """The replay of ``source``, of one tenant or of all, from the ledger's latest checkpoint or the log's beginning.

    What the ledger does not hold is kept in memory for seeds that are still to come: without a ledger, all of the log.
    """

    def __init__(self, rebuild: Rebuild, documents: Documents, source: Source, tenant: str | None) -> None:
        self._rebuild, self._documents, self._source, self._tenant = rebuild, documents, source, tenant
        self._ledger: LedgerLog | None = None
        self._recent: list[tuple[str, int, Passed]] = []
        self.applied = -1
        self.replay = LogReplay(source, documents.known, _NEVER, self._before)

    @property
    def policies(self) -> Mapping[str, Policy]:
        """By hash, all that are in force."""
        return self._documents.known

    async def begin(self, at: int) -> None:
        """Replay up to offset ``at``. Raises LedgerError, Transient, Fatal, KafkaError."""
        past = self._rebuild.past
        self._ledger = await past.log(self._source.partition) if past is not None else None
        if self._ledger is not None and self._ledger.gap is not None:
            self._ledger = None
        if self._ledger is not None:
            await self._restore(latest(self._ledger, at))
        await self._go_on(at, use_past=True)

    async def _restore(self, start: Start) -> None:
        self.applied = start.offset
        for row in start.rows:
            if self._tenant in (None, row.tenant):
                state = decode_state(row.state)
                await self._documents.require(staging.hash for staging in state.document.stagings)
                self.replay.restore(row.tenant, state)

    async def reach(self, offset: int) -> None:
        """Go on to ``offset``, which is not behind."""
        await self._go_on(offset, use_past=False)

    async def _go_on(self, offset: int, *, use_past: bool) -> None:
        start, stop = self.applied + 1, offset + 1
        if start >= stop:
            return
        async for step in self._rebuild.again(self._source.partition, start, stop, self._tenant, use_past=use_past):
            await self._pass(step)
        self.applied = offset

    async def _pass(self, step: Step) -> None:
        activation = step.activation
        if activation is not None:
            if activation.hash is not None and not is_void(self.replay.document(activation.tenant), activation):
                await self._documents.require([activation.hash])
            self._keep(activation.tenant, step.last, (activation, step.received_ms))
            self.replay.pass_activation(activation, step.last, step.received_ms)
        for tenant, calls in step.calls.items():
            self._keep(tenant, step.last, calls)
            self.replay.judge(tenant, calls)

    def _keep(self, tenant: str, last: int, passed: Passed) -> None:
        if self._ledger is None or last > self._ledger.covered:
            self._recent.append((tenant, last, passed))

    def _before(self, tenant: str, stop: int) -> Iterable[Passed]:
        """A tenant's log before ``stop``; a stretch never goes on past an activation."""
        if self._ledger is not None:
            yield from steps_before(self._ledger, tenant, min(stop, self._ledger.covered + 1))
        yield from (passed for whose, last, passed in self._recent if whose == tenant and last < stop)
