"""Reconcile a ledger with itself: its decisions against a replay of its events, partition by partition."""

from collections.abc import Mapping

from spendgate.engine.decisions import Source
from spendgate.ledger.delta_reader import Ledger
from spendgate.model.policy import Policy
from spendgate.model.reconciliation import Reconciliation
from spendgate.reconcile.asked import NOTHING, Proofs, Wanted
from spendgate.reconcile.bounded import bounded
from spendgate.reconcile.replaying import PartitionCompared
from spendgate.reconcile.result import Context, result
from spendgate.reconcile.tally import Tally
from spendgate.simulate.ledger_log import LedgerLog


def reconcile(
    ledger: Ledger, policies: Mapping[str, Policy], wanted: Wanted, proofs: Proofs = NOTHING
) -> Reconciliation:
    """The result, the same for the same inputs. ``policies`` by hash: all that the log's activations name.

    Raises LedgerError; KeyError for a policy that is missing; ValueError for a waiver that cannot be.
    """
    tally = Tally(wanted, proofs.thresholds.near_cap_percent)
    sources, lacking, end_ms = [], 0, 0
    topic = _topic(ledger, wanted.tenant)
    for topic_id, partition in _sources(ledger, wanted.tenant):
        log = LedgerLog(ledger, topic_id, partition)
        if (gap := log.gap) is not None:
            lacking += gap.first + gap.missing
        end_ms = max(end_ms, log.last_received_ms)
        source = Source(topic, topic_id, partition)
        sources.append(PartitionCompared(ledger, log, source, policies, tally).run())
    versions = {str(name): version for name, version in ledger.versions.items()}
    return bounded(result(tally, Context(wanted, proofs, policies, tuple(sources), versions, end_ms, lacking)))


def _sources(ledger: Ledger, tenant: str) -> list[tuple[str, int]]:
    """The topic partitions that hold records of the tenant."""
    files = [*ledger.files("events"), *ledger.files("activations")]
    return sorted({file.source for file in files if file.source and file.partition["tenant"] == tenant})


def _topic(ledger: Ledger, tenant: str) -> str:
    """The name of the topic of events, as the decisions have it; without any there is nothing to compare it with."""
    for batch in ledger.decision_batches(tenant, ["position_topic"], batch_rows=1):
        return str(batch.column("position_topic")[0].as_py())
    return ""
