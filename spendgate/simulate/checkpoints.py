"""Making checkpoints: what the ledger's own rows leave of each tenant, by replay from the checkpoint before."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from spendgate.engine.decisions import Source
from spendgate.engine.version import ENGINE_VERSION
from spendgate.ledger.activation_rows import TenantCheckpoint
from spendgate.model.policy import Policy
from spendgate.simulate.checkpoint import decode_state, encode_state
from spendgate.simulate.ledger_log import LedgerLog
from spendgate.simulate.replay import LogReplay, Step

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Start:
    """A checkpoint to go on from: the last offset that it holds (-1: the beginning), and each tenant's state."""

    offset: int
    rows: tuple[TenantCheckpoint, ...] = ()


def latest(log: LedgerLog, at_or_before: int) -> Start:
    """The latest checkpoint that this engine made, at or before an offset; the beginning where there is none.

    One of another engine is passed over: its sums may be others.
    """
    rows = log.checkpoint(at_or_before)
    if not rows or any(row.engine_version != ENGINE_VERSION for row in rows):
        return Start(-1)
    return Start(rows[0].offset, tuple(rows))


def checkpoint_rows(
    log: LedgerLog, source: Source, policies: Mapping[str, Policy], made_at: datetime
) -> list[TenantCheckpoint]:
    """A checkpoint at the last offset that the ledger covers, a row a tenant; empty if there is one already.

    ``policies`` by hash: all that the log's activations name. The log must have no gap. Raises LedgerError.
    """
    last, start = log.covered, latest(log, log.covered)
    if last <= start.offset:
        return []
    replay = LogReplay(source, policies, _NEVER, lambda tenant, stop: steps_before(log, tenant, stop))
    for row in start.rows:
        replay.restore(row.tenant, decode_state(row.state))
    for stretch in log.stretches(start.offset + 1, last):
        if stretch.activation is not None:
            replay.pass_activation(stretch.activation, stretch.last, stretch.received_ms)
        for tenant, calls in stretch.calls.items():
            replay.judge(tenant, calls)
    return list(_rows(replay, source, last, made_at))


def _rows(replay: LogReplay, source: Source, last: int, made_at: datetime) -> Iterator[TenantCheckpoint]:
    for tenant in replay.tenants():
        state = encode_state(replay.state(tenant))
        yield TenantCheckpoint(source.topic_id, source.partition, last, tenant, made_at, ENGINE_VERSION, state)


def steps_before(log: LedgerLog, tenant: str, stop: int) -> Iterable[Step]:
    """A tenant's log before offset ``stop``."""
    for stretch in log.stretches(0, stop - 1, tenant):
        if stretch.activation is not None:
            yield stretch.activation, stretch.received_ms
        yield from stretch.calls.values()
