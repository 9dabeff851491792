"""What later annotations say of calls: the cost they should have had, how they ended, their evidence.

An annotation is about the latest call of its identity accepted before it in the log, else the first after; of
several about one call the latest wins, field by field.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from spendgate.ledger.arrow_values import dictionary_of
from spendgate.model.event import EvidenceStatus, Outcome

Int = npt.NDArray[np.int64]
OUTCOMES: tuple[str, ...] = get_args(Outcome)
EVIDENCE: tuple[str, ...] = get_args(EvidenceStatus)
UNSTATED = -1
COLUMNS = (
    "kind", "time", "received_at", "duplicate", "source", "id", "refers_to", "cost_nano_usd", "input_tokens",
    "output_tokens", "outcome", "evidence_status",
)  # fmt: skip
_SHIFT = 40


class Amendments(NamedTuple):
    """By the numbers of a tenant's ``rows`` (ascending): what replaces their values, UNSTATED where nothing does.
    ``cost``: nano-USD; ``outcome``, ``evidence``: indexes into OUTCOMES and EVIDENCE."""

    rows: Int
    cost: Int
    outcome: Int
    evidence: Int

    def between(self, first: int, end: int) -> "Amendments":
        """Those of rows ``first`` to ``end``, numbered from 0."""
        part = slice(*np.searchsorted(self.rows, (first, end)).tolist())
        return Amendments(self.rows[part] - first, self.cost[part], self.outcome[part], self.evidence[part])


NOTHING = Amendments(*(np.zeros(0, np.int64) for _ in range(4)))

Accepted = Callable[[Any], Any]
"""Of a batch of COLUMNS, which rows are calls that were accepted, as booleans. It is asked batch by batch, in order."""


def codes_of(column: Any, values: tuple[str, ...]) -> Int:
    """A column of stated words as their index, UNSTATED where null."""
    codes, dictionary = dictionary_of(column)
    table = np.array([UNSTATED if v is None else values.index(v) for v in dictionary], np.int64)
    return table[codes]


def amended_batch(batch: Any, amended: Amendments) -> Any:
    """The batch with its outcomes and evidence as the annotations have them."""
    for name, words, said in (("outcome", OUTCOMES, amended.outcome), ("evidence_status", EVIDENCE, amended.evidence)):
        stated = said != UNSTATED
        if stated.any():
            codes = codes_of(batch[name], words)
            codes[amended.rows[stated]] = said[stated]
            column = pa.array(words, pa.string()).take(pa.array(codes, mask=codes == UNSTATED))
            batch = batch.set_column(batch.schema.get_field_index(name), name, column)
    return batch


@dataclass(slots=True)
class _Found:
    """Annotations of a tenant in log order: which identity (a number), on which row, and what they say."""

    keys: dict[str, int] = field(default_factory=dict)
    places: list[Int] = field(default_factory=list)
    said: list[Int] = field(default_factory=list)

    def add(self, batch: Any, first: int) -> None:
        """Take the annotations of a batch whose first row has this number."""
        chosen = pc.and_(pc.not_equal(batch["kind"], "call"), pc.is_valid(batch["refers_to"]))
        rows = np.flatnonzero(pc.fill_null(chosen, False).to_numpy(zero_copy_only=False))
        if not len(rows):
            return
        part = batch.take(pa.array(rows))
        keys = [self.keys.setdefault(k, len(self.keys)) for k in _joined(part["source"], part["refers_to"]).to_pylist()]
        is_correction = pc.equal(part["kind"], "correction").to_numpy(zero_copy_only=False)
        cost = pc.fill_null(part["cost_nano_usd"], UNSTATED).to_numpy(zero_copy_only=False)
        self.places.append((np.array(keys, np.int64) << _SHIFT) + rows + first)
        self.said.append(
            np.stack(
                (
                    np.where(is_correction, cost, UNSTATED),
                    np.where(is_correction, UNSTATED, codes_of(part["outcome"], OUTCOMES)),
                    np.where(is_correction, UNSTATED, codes_of(part["evidence_status"], EVIDENCE)),
                )
            )
        )


def amendments(batches: Iterable[Any], again: Iterable[Any], accepted: Accepted) -> Amendments:
    """What a tenant's annotations say. ``batches`` and ``again``: two passes over the same COLUMNS in log order."""
    found, first = _Found(), 0
    for batch in batches:
        found.add(batch, first)
        first += batch.num_rows
    if not found.places:
        return NOTHING
    return _resolved(found, _accepted(found.keys, again, accepted))


def marked_calls(batch: Any) -> npt.NDArray[np.bool_]:
    """See Accepted; of rows in which duplicates are marked."""
    calls = pc.and_(pc.equal(batch["kind"], "call"), pc.invert(batch["duplicate"]))
    found: npt.NDArray[np.bool_] = calls.to_numpy(zero_copy_only=False)
    return found


def _accepted(keys: dict[str, int], batches: Iterable[Any], accepted: Accepted) -> Int:
    """(identity, row) of every accepted call that an annotation may be about, ascending."""
    wanted, first = pa.array(list(keys)), 0
    places = []
    for batch in batches:
        key = pc.fill_null(pc.index_in(_joined(batch["source"], batch["id"]), wanted), -1)
        numbers = key.to_numpy(zero_copy_only=False).astype(np.int64)
        rows = np.flatnonzero((numbers >= 0) & accepted(batch))
        places.append((numbers[rows] << _SHIFT) + rows + first)
        first += batch.num_rows
    return np.sort(np.concatenate([*places, np.zeros(0, np.int64)]))


def _resolved(found: _Found, calls: Int) -> Amendments:
    places, said = np.concatenate(found.places), np.concatenate(found.said, axis=1)
    if not len(calls):
        return NOTHING
    before = np.searchsorted(calls, places) - 1
    same = (before >= 0) & (calls[before] >> _SHIFT == places >> _SHIFT)
    target = np.where(same, before, np.minimum(before + 1, len(calls) - 1))
    known = calls[target] >> _SHIFT == places >> _SHIFT
    rows = (calls[target] & ((1 << _SHIFT) - 1))[known]
    numbers, at = np.unique(rows, return_inverse=True)
    amended = np.full((3, len(numbers)), UNSTATED, np.int64)
    order = np.argsort(places[known] & ((1 << _SHIFT) - 1), kind="stable")
    for line, values in zip(amended, said[:, known], strict=True):
        stated = order[values[order] != UNSTATED]
        line[at[stated]] = values[stated]
    return Amendments(numbers, *amended)


def _joined(source: Any, name: Any) -> Any:
    plain = [c.cast(pa.string()) if pa.types.is_dictionary(c.type) else c for c in (source, name)]
    return pc.binary_join_element_wise(*plain, " ")
