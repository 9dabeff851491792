"""A log of drawn or hand-made records, written into a ledger as the ledger agent writes it."""

from datetime import UTC, datetime
from pathlib import Path

from spendgate.engine.calls import Calls
from spendgate.engine.seed import Acceptance
from spendgate.ledger.activation_rows import PlacedActivation, activation_batch_of
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.ledger.event_rows import Place, logged_batch
from spendgate.model.activation import Activation, encode_activation
from tests.oracle.documents import Record

LOG = ("topic-id", 0)
"""The topic id and the partition that such a log stands in."""


def messages_of(records: list[Record]) -> list[list[Record]]:
    """The records, message by message."""
    found: dict[int, list[Record]] = {}
    for record in records:
        found.setdefault(record.position.offset, []).append(record)
    return [found[offset] for offset in sorted(found)]


def record(root: Path, records: list[Record]) -> int:
    """Write them into a ledger at ``root`` as the ledger agent does, in one commit; the last offset."""
    table, accepted, last = LedgerTable(root), dict[str, Acceptance](), records[-1].position.offset
    batches, activations = [], []
    for message in messages_of(records):
        first = message[0]
        judge = accepted.setdefault(first.body.tenant, Acceptance(first.body.tenant))
        if isinstance(first.body, Activation):
            judge.pass_activation(first.body, first.received_at_ms)
            received = datetime.fromtimestamp(first.received_at_ms / 1000, UTC)
            place = Place(*LOG, first.position.offset, 0, received)
            activations.append(PlacedActivation(place, first.body, encode_activation(first.body)))
            continue
        events = [each.body for each in message if not isinstance(each.body, Activation)]
        calls = Calls()
        calls.add_message(first.position.offset, first.received_at_ms, [r.position.index for r in message], events)
        places = calls.offsets, calls.indexes, calls.received_ms
        batches.append(logged_batch(LOG, places, judge.duplicates(calls), events))
    if activations:
        table.append("activations", [activation_batch_of(activations)], LOG, last)
    table.append("events", batches, LOG, last, first_offset=0)
    return last
