"""What reconciliation says of a run: each tenant's ledger, topics and counters, as ``spendgate reconcile`` does it."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from dev.faults.ledgers import environment_of, offsets_of
from dev.faults.ours import Ours
from spendgate.cli.reconcile_proofs import counters_of
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_verify import verify
from spendgate.model.reconciliation import CriterionName, Reconciliation
from spendgate.reconcile.asked import Proofs, Wanted
from spendgate.reconcile.run import reconcile

PROVEN: tuple[CriterionName, ...] = ("differences", "unexplained", "coverage", "offsets", "counters")
"""What must hold for it to agree; the others are about the length of the run and the vendor's bill."""


class Reconciled(NamedTuple):
    """``cause``: what it names, ``none`` where nothing differs; ``agrees``: every difference has a cause that is known,
    and where there is none, counters, ledger and topics agree. ``replayed``: calls."""

    cause: str
    agrees: bool
    replayed: int
    notes: list[str]


def reconciled(ours: Ours, tenants: Sequence[str]) -> Reconciled:
    """Wait until the ledger has it all, and reconcile every tenant."""
    ours.wait_for_history()
    with environment_of(ours.world):
        results = [_one(ours, tenant) for tenant in tenants]
    causes = sorted({group.cause for result in results for group in result.differences})
    failing = [
        f"{result.tenant} {each.name}: {each.words}"
        for result in results
        for each in result.criteria
        if each.name in PROVEN and each.outcome != "pass"
    ]
    named = "unexplained" not in causes if causes else not failing
    return Reconciled(", ".join(causes) or "none", named, sum(result.calls.replayed for result in results), failing)


def _one(ours: Ours, tenant: str) -> Reconciliation:
    ledger = Ledger.open(ours.world.ledger)
    proofs = Proofs(
        verified=verify(ledger, offsets_of(ours.world)),
        offsets_at_ms=int(time.time() * 1000),
        counters=counters_of(ours.world.broker.bootstrap, ours.world.redis_url, str(ours.world.ledger), tenant),
    )
    return reconcile(ledger, ours.world.policies, Wanted(tenant), proofs)
