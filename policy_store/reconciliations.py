"""Results of reconciliations: recorded by the agent, kept as a history of policy and window, and acted upon.

Of a staging's rounds of one day that came to the same, the last is kept; all of them stand on the topic.
"""

from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select

from policy_store import stagings
from policy_store.change import Change
from policy_store.errors import NotFound, Refused
from policy_store.outbox import tell_reconciliation
from policy_store.settling import Settled, settle
from policy_store.signing import Signer
from policy_store.stagings import Staging
from policy_store.tables import certificates, reconciliations
from spendgate.model.reconciliation import Outcome, Reconciliation, digest_of, encode_reconciliation
from spendgate.reconcile.bounded import MOST_BYTES
from spendgate.reconcile.gate import State, instant_ms

_DAY_MS = 86_400_000


class Recorded(NamedTuple):
    """One result as it is listed. ``gate``: what the staging's gate was with it. ``from_ms``, ``to_ms``: observed."""

    number: int
    id: str
    tenant: str
    policy: str
    staging: str
    on_demand: bool
    outcome: Outcome
    gate: State
    from_ms: int | None
    to_ms: int | None
    replayed: int
    differing: int
    sha256: str
    recorded_by: str
    recorded_ms: int


_LISTED = [reconciliations.c[name] for name in Recorded._fields]


def record(
    change: Change, result: Reconciliation, signer: Signer, *, on_demand: bool = False
) -> tuple[Recorded, Settled]:
    """Record the result of one staging, and draw the consequences: it becomes reconciled, with a certificate, is
    doubted, or demoted. ``on_demand``: not one of the agent's rounds; it proves nothing, but a fault in it counts.

    Raises NotFound; Refused for a result of another tenant, of none of its stagings, or that no message could hold.
    """
    if result.tenant != change.tenant or result.staging is None:
        raise Refused("not_a_staging", "reconciliation: expected one of a single staging of this tenant")
    if len(encode_reconciliation(result)) > MOST_BYTES:
        raise Refused("too_large", f"reconciliation: expected at most {MOST_BYTES:,} bytes, which a message holds")
    staging = stagings.require(change.connection, change.tenant, result.staging)
    values = _values(change, result, staging, on_demand)
    number = change.connection.execute(insert(reconciliations).values(**values, gate="observing")).inserted_primary_key
    settled = settle(change, staging, signer)
    state = settled.gate.state if settled.gate is not None else "observing"
    this = reconciliations.c.number == (number or (0,))[0]
    change.connection.execute(reconciliations.update().where(this).values(gate=state))
    made = Recorded(**change.connection.execute(select(*_LISTED).where(this)).mappings().one())
    tell_reconciliation(change, values["document"])
    if not on_demand:
        _forget_the_same(change.connection, made)
    return made, settled


def _values(change: Change, result: Reconciliation, staging: Staging, on_demand: bool) -> dict[str, Any]:
    observed = result.observed
    return {
        "id": f"rec-{change.fresh()}", "tenant": change.tenant, "policy": staging.policy, "staging": staging.id,
        "on_demand": on_demand, "outcome": result.outcome,
        "from_ms": None if observed.from_ is None else instant_ms(observed.from_),
        "to_ms": None if observed.to is None else instant_ms(observed.to),
        "replayed": result.calls.replayed,
        "differing": sum(each.calls for each in result.differences if each.cause != "not_yet_judged"),
        "document": encode_reconciliation(result), "sha256": digest_of(result), "recorded_by": change.who,
        "recorded_ms": change.now_ms,
    }  # fmt: skip


def _forget_the_same(connection: Connection, made: Recorded) -> None:
    """The round before this one, if it was of the same day, came to the same, and no certificate rests on it."""
    rounds = select(*_LISTED).where(reconciliations.c.staging == made.staging, ~reconciliations.c.on_demand)
    before = connection.execute(
        rounds.where(reconciliations.c.number < made.number).order_by(reconciliations.c.number.desc()).limit(1)
    ).one_or_none()
    if before is None or (before.outcome, before.gate) != (made.outcome, made.gate):
        return
    if before.recorded_ms // _DAY_MS != made.recorded_ms // _DAY_MS:
        return
    rests = select(certificates.c.id).where(certificates.c.reconciliation == before.id).limit(1)
    if connection.scalar(rests) is None:
        connection.execute(delete(reconciliations).where(reconciliations.c.number == before.number))


def listed(
    connection: Connection, tenant: str, *, policy: str | None = None, staging: str | None = None,
    before: int | None = None, most: int = 100,
) -> list[Recorded]:  # fmt: skip
    """The history, the latest first. ``before``: a number, for the page after."""
    wanted = select(*_LISTED).where(reconciliations.c.tenant == tenant)
    if policy is not None:
        wanted = wanted.where(reconciliations.c.policy == policy)
    if staging is not None:
        wanted = wanted.where(reconciliations.c.staging == staging)
    if before is not None:
        wanted = wanted.where(reconciliations.c.number < before)
    ordered = wanted.order_by(reconciliations.c.number.desc()).limit(most)
    return [Recorded(**row) for row in connection.execute(ordered).mappings()]


def require(connection: Connection, tenant: str, id_: str) -> tuple[Recorded, bytes]:
    """One result, and its document. Raises NotFound."""
    wanted = select(*_LISTED, reconciliations.c.document).where(
        reconciliations.c.tenant == tenant, reconciliations.c.id == id_
    )
    row = connection.execute(wanted).mappings().one_or_none()
    if row is None:
        raise NotFound(f"reconciliation {id_}: there is none of this name")
    return Recorded(**{name: row[name] for name in Recorded._fields}), row["document"]
