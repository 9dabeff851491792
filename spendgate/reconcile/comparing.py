"""Stretches of a replayed log against the decisions that were published of them."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from spendgate.engine.rules import Int
from spendgate.ledger.decision_rows import decisions_of
from spendgate.model.decision import Decision
from spendgate.reconcile.causes import Corrections, Evidence, Explained, NoCorrections, explained
from spendgate.reconcile.codes import Codes, filled
from spendgate.reconcile.compare import Bits, differing
from spendgate.reconcile.join import Difference, Place, timeless
from spendgate.reconcile.missing import Missing, differences
from spendgate.reconcile.owed import Owed, Owing
from spendgate.reconcile.published import Piece, Published, Stream, places
from spendgate.reconcile.rejected import Rejections
from spendgate.reconcile.tally import MAX_EXAMPLES, Tally

_US = 1000


class Comparing:
    """Compares what one partition owes with what was published of it. ``corrections``: what is known of them so far."""

    def __init__(
        self, tally: Tally, owing: Owing, codes: Codes, published: Published, rejected: Rejections, missing: Missing
    ) -> None:
        self._tally, self._owing, self._codes = tally, owing, codes
        self._published, self._rejected, self._missing = published, rejected, missing
        self._copied = np.array(sorted(published.copies), np.int64)
        self._in_force: tuple[str, ...] = ()
        self._waiting: list[Int] = []
        self.corrections: Corrections = NoCorrections()

    def compare(self, owed: Owed, stream: Stream) -> None:
        """Compare a stretch; what was published of it is done with afterwards."""
        names = self._tally.wanted.names
        self._in_force = tuple(s.staging for s in owed.judged.program.stagings if names(s.policy, s.staging))
        wanted, keys = self._wanted(owed), places(owed.offsets, owed.indexes)
        self._tally.replayed += int(wanted.sum())
        left = wanted.copy()
        for piece in stream.until(int(keys[-1])):
            rows = np.searchsorted(keys, piece.places)
            hit = keys[np.minimum(rows, len(keys) - 1)] == piece.places
            if not hit.all():
                self.note_extra(piece.chosen(~hit))
                rows, piece = rows[hit], piece.chosen(hit)
            left[rows] = False
            self._compare_piece(owed, wanted, rows, piece)
        self._compare_late(owed, left, keys)
        self._note_missing(owed, keys, np.flatnonzero(left))

    def _wanted(self, owed: Owed) -> Bits:
        """The rows that are compared: calls within the interval, at which a rule looked that is asked about; where all
        are asked about, every call while anything was staged."""
        wanted, program = self._tally.wanted, owed.judged.program
        within = self._within(owed)
        looked = self._tally.see(program, owed.judged.batch, within)
        if wanted.policy is None and wanted.staging is None:
            return within if program.stagings else np.zeros(len(within), np.bool_)
        return looked

    def _within(self, owed: Owed) -> Bits:
        wanted = self._tally.wanted
        within: Bits = owed.skipped == 0
        if wanted.from_ms is not None:
            within &= owed.received_ms >= wanted.from_ms
        if wanted.to_ms is not None:
            within &= owed.received_ms < wanted.to_ms
        return within

    # What was published

    def _compare_piece(self, owed: Owed, wanted: Bits, rows: Int, piece: Piece) -> None:
        owes = owed.skipped[rows] == 0
        if not owes.all():
            self._note_repeats(owed, rows[~owes], piece.chosen(~owes))
            rows, piece = rows[owes], piece.chosen(owes)
        if len(self._copied):
            copied = np.isin(piece.places, self._copied)
            self._compare_copied(owed, wanted, rows[copied], piece.chosen(copied))
            rows, piece = rows[~copied], piece.chosen(~copied)
        asked = wanted[rows]
        if not asked.all():
            rows, piece = rows[asked], piece.chosen(asked)
        if len(rows):
            self._compare_columns(owed, rows, piece)

    def _compare_columns(self, owed: Owed, rows: Int, piece: Piece) -> None:
        self._note_made(owed, rows, piece)
        may_differ = np.flatnonzero(differing(owed, rows, piece.rows, self._codes))
        self._tally.matched += len(rows) - len(may_differ)
        if not len(may_differ):
            return
        found = decisions_of(piece.rows.take(pa.array(may_differ)))
        for mine, theirs in zip(self._owing.decisions(owed, rows[may_differ]), found, strict=True):
            self._compare_call(mine, [theirs])

    def _note_made(self, owed: Owed, rows: Int, piece: Piece) -> None:
        self._tally.lags.add(filled(piece.rows["decided_at"]) // _US - owed.received_ms[rows])
        self._tally.engine_versions.update(piece.rows["engine_version"].unique().to_pylist())

    def _compare_copied(self, owed: Owed, wanted: Bits, rows: Int, piece: Piece) -> None:
        """Calls of which copies stand further behind, with all of these."""
        further = [self._published.copies.pop(place) for place in piece.places.tolist()]
        asked = wanted[rows]
        if not asked.any():
            return
        self._note_made(owed, rows[asked], piece.chosen(asked))
        found = zip(self._owing.decisions(owed, rows), decisions_of(piece.rows), further, asked.tolist(), strict=True)
        for mine, first, others, is_asked in found:
            if is_asked:
                self._compare_call(mine, [first, *others])

    def _compare_late(self, owed: Owed, left: Bits, keys: Int) -> None:
        """Calls whose only decisions stand behind later ones."""
        if not self._published.copies:
            return
        late = np.flatnonzero(left & np.isin(keys, np.array(list(self._published.copies), np.int64)))
        left[late] = False
        for row, mine in zip(late.tolist(), self._owing.decisions(owed, late), strict=True):
            self._compare_call(mine, self._published.copies.pop(int(keys[row])))

    def _compare_call(self, mine: Decision, theirs: list[Decision]) -> None:
        """Count a call by what it owes and all that was published of it. Several differences are one, the worst first;
        the same decision published again is none."""
        tally, first = self._tally, timeless(theirs[0])
        others = [each for each in theirs[1:] if timeless(each) != first]
        tally.repeated += len(theirs) - 1 - len(others)
        if first != timeless(mine):
            found = Difference("mismatched", _place(mine), mine, theirs[0])
        elif others:
            found = Difference("duplicate_differs", _place(mine), mine, others[0])
        else:
            tally.matched += 1
            return
        if not self._add(explained(found, Evidence(corrections=self.corrections))):
            tally.matched += 1

    def _add(self, found: Explained) -> bool:
        """Count a difference if it touches what is asked about; whether it does."""
        tally = self._tally
        if found.stagings is None:
            tally.add(found, self._in_force)
            return True
        touched = {
            staging
            for staging in found.stagings
            if staging not in tally.stagings or tally.wanted.names(tally.stagings[staging].policy, staging)
        }
        if touched:
            tally.add(found, touched)
        return bool(touched)

    # What is too much, and what is missing

    def _note_repeats(self, owed: Owed, rows: Int, piece: Piece) -> None:
        """Decisions of rows that owe none: of repeats, or of what is no call."""
        if not self._in_force:
            return
        repeats = filled(owed.events["duplicate"].cast(pa.int8()))[rows] == 1
        for decision, row, is_repeat in zip(decisions_of(piece.rows), rows.tolist(), repeats.tolist(), strict=True):
            if self._tally.wanted.holds(int(owed.received_ms[row])):
                self._add(explained(Difference("extra", _place(decision), None, decision), Evidence(True, is_repeat)))

    def note_extra(self, piece: Piece) -> None:
        """Decisions of calls that the ledger does not have, within what it covers."""
        covered = piece.chosen(piece.places <= self._published.covered)
        self.note_strangers(decisions_of(covered.rows) if len(covered.places) else ())

    def note_strangers(self, decisions: Iterable[Decision]) -> None:
        """The same, of decisions."""
        for each in decisions:
            if self._tally.wanted.holds(int(each.decided_at.timestamp() * 1000)):
                why = self._rejected.why(int(places(*_columns(each))[0]))
                found = Difference("extra", _place(each), None, each)
                self._add(explained(found, Evidence(is_in_ledger=False, rejected=why)))

    def _note_missing(self, owed: Owed, keys: Int, rows: Int) -> None:
        """Calls without a decision. Those behind the last one are not due yet, or wait for too long."""
        is_behind = keys[rows] > self._published.last
        behind, due = rows[is_behind], rows[~is_behind]
        if len(behind):
            self._waiting.append(owed.received_ms[behind])
            shown = differences(self._owing, owed, keys, behind[:MAX_EXAMPLES])
            for each in shown:
                self._tally.add(explained(each, Evidence(is_behind_the_last=True)), self._in_force)
            self._tally.group("missing", "not_yet_judged").calls += len(behind) - len(shown)
        is_rejected = np.isin(keys[due], self._rejected.places)
        for each in differences(self._owing, owed, keys, due[is_rejected]):
            why = self._rejected.why(int(places(*_columns(each.owed))[0])) if each.owed is not None else None
            self._tally.add(explained(each, Evidence(rejected=why)), self._in_force)
        self._missing.note(self._owing, owed, keys, due[~is_rejected], self._in_force)

    def finish(self, end_ms: int) -> None:
        """The log has ended, at ``end_ms``."""
        for copies in self._published.copies.values():
            self.note_strangers(copies[:1])
        for received_ms in self._waiting:
            self._tally.lags.wait(end_ms - received_ms)
        self._missing.settle()


def _place(decision: Decision) -> Place:
    return decision.position.offset, decision.position.index


def _columns(decision: Decision) -> tuple[Int, Int]:
    return np.array([decision.position.offset], np.int64), np.array([decision.position.index], np.int64)
