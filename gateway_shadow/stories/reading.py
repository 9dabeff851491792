"""What a story needs of the ledger, found by a call's source and id."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from gateway_shadow.stories.story import Recorded
from spendgate.engine.staging import TenantDocument, settings_of
from spendgate.ledger.call_index import CallIndex
from spendgate.ledger.check_rows import checks_of
from spendgate.ledger.decision_rows import decisions_of
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_selection import Place as LogPlace
from spendgate.ledger.delta_selection import Selection, rows
from spendgate.ledger.event_rows import Place, events_of, places_of
from spendgate.ledger.row_filter import Wanted
from spendgate.model.check import Check
from spendgate.model.decision import Decision
from spendgate.model.event import Event
from spendgate.model.policy import Policy
from spendgate.simulate.call_neighbours import Counter, deciding, neighbours
from spendgate.simulate.call_rules import in_force

CHECKED_BEFORE, CHECKED_AFTER = timedelta(hours=24), timedelta(minutes=5)
"""How long before a call its check is looked for, and how far the clocks of door and sender may differ."""
MOST_NAMED = 1_000


class Found(NamedTuple):
    """A call, and what was in force for it."""

    recorded: Recorded
    document: TenantDocument


def found_call(ledger: Ledger, tenant: str, source: str, id_: str, index: CallIndex | None = None) -> Found | None:
    """The call of this source and id, the accepted one where it was repeated; None without one. ``index``: so that not
    all rows need be read. Raises LedgerError."""
    files = None if index is None else index.files(ledger, tenant, id_)
    calls, about = (None, None) if files is None else files
    named = _events(ledger, tenant, {"id": id_, "source": source, "kind": "call"}, calls)
    if not named:
        return None
    place, call = next((each for each in named if not each[0].duplicate), named[0])
    noted = _events(ledger, tenant, {"refers_to": id_, "source": source}, about)
    notes = [each for each in noted if not each[0].duplicate]
    recorded = Recorded(
        place, call, len(named) - 1, _decision(ledger, place, call), notes, _check(ledger, place, call)
    )  # fmt: skip
    return Found(recorded, _in_force(ledger, tenant, place))


def neighbours_of(
    ledger: Ledger, tenant: str, found: Found, policies: Mapping[str, Policy], most: int
) -> dict[str, Any] | None:
    """The calls beside it in the window of the counter that decided; None where no budget looked, or for a call that
    was never in a log. Raises LedgerError."""
    decision, place = found.recorded.decision, found.recorded.place
    reason = None if decision is None else deciding(decision.reasons)
    if reason is None or place.offset is None:
        return None
    hashes = {each.staging: each.hash for each in found.document.stagings}
    counter = Counter(reason, policies.get(hashes.get(reason.staging, "")), settings_of(found.document))
    return neighbours(ledger, tenant, _log_place(place), counter, most)


def _events(
    ledger: Ledger, tenant: str, values: dict[str, str | int], only: frozenset[str] | None
) -> list[tuple[Place, Event]]:
    found: list[tuple[Place, Event]] = []
    for batch in rows(ledger, Selection("events", tenant, Wanted(values), only=only)):
        found += zip(places_of(batch), events_of(batch), strict=True)
        if len(found) >= MOST_NAMED:
            break
    return found


def _decision(ledger: Ledger, place: Place, call: Event) -> Decision | None:
    """Perhaps published twice; then both are the same."""
    if place.offset is None:
        return None
    at = _log_place(place)
    values: dict[str, str | int] = {"position_offset": at.offset, "position_index": at.item}
    values |= {"position_partition": at.partition, "source": call.source, "event_id": call.id}
    wanted = Wanted(values, from_=call.time, to=call.time + timedelta(microseconds=1))
    batches = rows(ledger, Selection("decisions", call.tenant, wanted))
    return next((each for batch in batches for each in decisions_of(batch)), None)


def _check(ledger: Ledger, place: Place, call: Event) -> Check | None:
    if call.check_id is None:
        return None
    until = max(call.time, place.received_at or call.time) + CHECKED_AFTER
    wanted = Wanted({"check_id": call.check_id}, from_=call.time - CHECKED_BEFORE, to=until)
    batches = rows(ledger, Selection("checks", call.tenant, wanted))
    return next((each for batch in batches for each in checks_of(batch)), None)


def _in_force(ledger: Ledger, tenant: str, place: Place) -> TenantDocument:
    if place.offset is None:
        return TenantDocument()
    at = _log_place(place)
    return in_force(ledger, tenant, at[:2], at.offset)


def _log_place(place: Place) -> LogPlace:
    return LogPlace(place.topic_id or "", place.partition or 0, place.offset or 0, place.index or 0)
