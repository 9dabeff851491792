"""Corrections of a tenant's log, as evidence: what they made of costs, and of the sums that a seed begins with."""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from spendgate.engine.corrections import Correction, Place, corrected_costs
from spendgate.model.decision import Decision, Reason
from spendgate.model.event import SCOPE_FIELDS
from spendgate.model.identity import identity_of
from spendgate.model.text import NONE
from spendgate.simulate.log_pieces import LogPieces

_COLUMNS = ("kind", "duplicate", "source", "id", "refers_to", "cost_nano_usd", "time", "offset", "index", *SCOPE_FIELDS)


class _Call(NamedTuple):
    """A call that a correction may be about."""

    place: Place
    cost_nano_usd: int
    time: Any
    names: dict[str, str | None]


class CorrectedCalls:
    """Reads the log again when first asked, and only the calls that corrections name. ``begun``: at which offset a
    staging began, None for one that is not known."""

    def __init__(self, pieces: LogPieces, begun: Callable[[str], int | None]) -> None:
        self._pieces, self._begun = pieces, begun
        self._known: dict[int | None, dict[Place, int]] = {}

    def cost_of(self, decision: Decision) -> int | None:
        """See ``causes.Corrections``."""
        return self._costs(None).get((decision.position.offset, decision.position.index))

    def explain(self, owed: Decision, reason: Reason, off_nano_usd: int) -> bool:
        """Whether a sum lacks what the corrections before its staging changed, or has what later ones changed."""
        begun = self._begun(reason.staging)
        if begun is None:
            return False
        place = owed.position.offset, owed.position.index
        inside = [call for call in self._calls.values() if call.place < place and _is_in(call, reason)]
        seeded, later = self._costs(begun), self._costs(None)
        had = sum(seeded.get(call.place, call.cost_nano_usd) - call.cost_nano_usd for call in inside)
        would = sum(
            later.get(call.place, call.cost_nano_usd) - seeded.get(call.place, call.cost_nano_usd)
            for call in inside
            if call.place[0] < begun
        )
        return off_nano_usd in (-had, would) and off_nano_usd != 0

    @cached_property
    def _corrections(self) -> list[Correction]:
        return [
            Correction(
                (row["offset"], row["index"]), identity_of(row["source"], row["refers_to"]), row["cost_nano_usd"]
            )
            for row in self._annotations
        ]

    @cached_property
    def _annotations(self) -> list[dict[str, Any]]:
        rows = self._rows(lambda batch: pc.equal(batch["kind"], "correction"))
        return [row for row in rows if row["refers_to"] is not None and row["cost_nano_usd"] is not None]

    @cached_property
    def _accepted(self) -> list[tuple[int, _Call]]:
        """The accepted calls that corrections name, with their identities, in log order."""
        identities = {each.identity for each in self._corrections}
        ids = pa.array({row["refers_to"] for row in self._annotations}, pa.string())
        if not len(ids):
            return []

        def named(batch: Any) -> Any:
            is_call = pc.and_(pc.equal(batch["kind"], "call"), pc.invert(batch["duplicate"]))
            return pc.and_(is_call, pc.is_in(batch["id"], ids))

        found = ((identity_of(row["source"], row["id"]), row) for row in self._rows(named))
        return [(identity, _call(row)) for identity, row in found if identity in identities]

    @cached_property
    def _calls(self) -> dict[Place, _Call]:
        return {call.place: call for _, call in self._accepted}

    def _costs(self, before: int | None) -> dict[Place, int]:
        """What calls should have cost by the corrections before an offset, as a seed there sees them, or by all."""
        if before not in self._known:
            places: dict[int, list[Place]] = {}
            for identity, call in self._accepted:
                if before is None or call.place[0] < before:
                    places.setdefault(identity, []).append(call.place)
            said = [each for each in self._corrections if before is None or each.place[0] < before]
            self._known[before] = corrected_costs(said, places)
        return self._known[before]

    def _rows(self, chosen: Callable[[Any], Any]) -> Iterator[dict[str, Any]]:
        for batch in self._pieces.batches(_COLUMNS):
            yield from batch.filter(chosen(batch)).to_pylist()


def _call(row: dict[str, Any]) -> _Call:
    names = {name: row[name] for name in SCOPE_FIELDS}
    return _Call(_place(row), row["cost_nano_usd"] or 0, row["time"], names)


def _place(row: dict[str, Any]) -> Place:
    return row["offset"], row["index"]


def _is_in(call: _Call, reason: Reason) -> bool:
    """Whether a call counts in the window and under the key of a reason."""
    start, end = reason.window_start, reason.window_end
    if (start is not None and call.time < start) or (end is not None and call.time >= end):
        return False
    parts = [part.partition("=") for part in (reason.counter or "").split(" ") if "=" in part]
    return all((call.names.get(name) or NONE) == value for name, _, value in parts)
