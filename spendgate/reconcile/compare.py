"""Decisions as they were published against those that are owed, column by column.

Every row that differs in any field but ``decided_at`` is found, and with it a few that cross an alert; these are then
compared one by one.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spendgate.engine.rules import Int
from spendgate.engine.version import ENGINE_VERSION
from spendgate.reconcile.codes import Codes, filled
from spendgate.reconcile.ids import ids_differ
from spendgate.reconcile.owed import Owed, Reasons

Bits = NDArray[np.bool_]
_MARKS = {"late": 1, "clock_skew": 2, "unpriced": 4}
_UNKNOWN_MARK = 8


def differing(owed: Owed, rows: Int, found: Any, codes: Codes) -> Bits:
    """Of published decisions (a batch), whether each may differ from what row ``rows[i]`` owes; what is false here is
    equal in every field but ``decided_at``."""
    differ = _reasons_differ(owed, rows, found["reasons"], codes)
    for each in _heads(owed, rows, found, codes):
        differ |= each
    return differ


def _heads(owed: Owed, rows: Int, found: Any, codes: Codes) -> Iterator[Bits]:
    """Field by field, all but the reasons."""
    version = codes.of(ENGINE_VERSION)
    yield codes.column(found["verdict"]) != owed.verdict[rows]
    yield codes.column(found["engine_version"]) != version
    yield codes.column(found["judged_set"]) != owed.set
    yield filled(found["judged_rules"]) != owed.rules[rows]
    yield filled(found["cost_nano_usd"]) != owed.cost[rows]
    yield codes.column(found["source"]) != owed.source_code[rows]
    yield filled(found["event_time"]) != owed.time_us[rows]
    yield _marks(found["marks"], codes) != owed.marks[rows]
    yield ids_differ(found["decision_id"], owed.id_head, owed.offsets[rows], owed.indexes[rows])
    yield _names_differ(owed.events["id"], rows, found["event_id"])
    yield _names_differ(owed.events["check_id"], rows, found["check_id"])


def _names_differ(owed: Any, rows: Int, found: Any) -> Bits:
    """Of texts that hardly repeat, whether each is another than the one of row ``rows[i]``; null is equal to null."""
    if owed.null_count == len(owed) and found.null_count == len(found):
        return np.zeros(len(rows), np.bool_)
    mine = owed if len(rows) == len(owed) and _is_whole(rows) else owed.take(pa.array(rows))
    differ = pc.xor(pc.is_null(mine), pc.is_null(found))
    if mine.null_count < len(mine):
        differ = pc.or_(differ, pc.fill_null(pc.not_equal(found, mine), False))
    return np.asarray(differ.to_numpy(zero_copy_only=False), np.bool_)


def _is_whole(rows: Int) -> bool:
    return bool(len(rows) == 0 or (rows[0] == 0 and rows[-1] == len(rows) - 1))


def _marks(column: Any, codes: Codes) -> Int:
    """Marks as bits, in the order in which we list them; anything else is no mask of ours."""
    lengths = filled(column.value_lengths(), 0)
    masks = np.zeros(len(column), np.int64)
    if not lengths.any():
        return masks
    found, rows = codes.column(column.flatten()), np.repeat(np.arange(len(column)), lengths)
    bits = np.full(len(found), _UNKNOWN_MARK, np.int64)
    for mark, bit in _MARKS.items():
        bits[found == codes.of(mark)] = bit
    np.add.at(masks, rows, bits)
    disordered = (np.diff(bits) <= 0) & (np.diff(rows) == 0)
    masks[rows[1:][disordered]] = _UNKNOWN_MARK
    return masks


def _reasons_differ(owed: Owed, rows: Int, column: Any, codes: Codes) -> Bits:
    first, counts = owed.first[rows], owed.first[rows + 1] - owed.first[rows]
    lengths = filled(column.value_lengths(), -1)
    differ: Bits = lengths != counts
    same = np.flatnonzero(~differ)
    if not counts[same].sum():
        return differ
    mine, row_of = _spread(first[same], counts[same])
    theirs, flat = _flat(column, lengths, same)
    wrong = np.zeros(len(mine), np.bool_)
    for each in _fields(owed.reasons, mine, flat, theirs, codes):
        wrong |= each
    differ[same[np.unique(row_of[wrong])]] = True
    return differ


def _spread(first: Int, counts: Int) -> tuple[Int, Int]:
    """The places ``first[i]`` to ``first[i] + counts[i]`` one after the other, and of each its i."""
    row_of = np.repeat(np.arange(len(counts)), counts)
    ends = np.cumsum(counts)
    return np.arange(int(ends[-1])) - np.repeat(ends - counts - first, counts), row_of


def _flat(column: Any, lengths: Int, same: Int) -> tuple[Any, Any]:
    """The reasons of some rows: None where it is all of them, else their places; and all reasons, a column each."""
    flat = column.flatten()
    children = dict(zip((field.name for field in flat.type), flat.flatten(), strict=True))
    if len(same) == len(lengths):
        return None, children
    kept = np.maximum(lengths, 0)
    return _spread((np.cumsum(kept) - kept)[same], kept[same])[0], children


def _fields(mine: Reasons, at: Int, found: Any, theirs: Int | None, codes: Codes) -> Iterator[Bits]:
    """Field by field of each reason."""

    def text(name: str) -> Int:
        return _at(codes.column(found[name]), theirs)

    def number(name: str) -> Int:
        return _at(filled(found[name]), theirs)

    for name in ("policy", "staging", "stage", "kind", "verdict", "code", "counter"):
        yield text(name) != getattr(mine, name)[at]
    for name in ("rule", "window_start", "window_end", "reset_at"):
        yield number(name) != getattr(mine, name)[at]
    for name in ("limit", "used_before", "recorded_before", "remaining", "overage"):
        yield number(f"{name}_nano_usd") != getattr(mine, name)[at]
    # Which thresholds were crossed is looked at one by one, and few calls cross any.
    crossed = _at(filled(found["alerts"].value_lengths(), 0), theirs)
    yield (crossed > 0) | (mine.alerts[at] > 0)


def _at(values: Int, places: Int | None) -> Int:
    return values if places is None else values[places]
