"""One topic partition of a tenant's log, replayed from its first record on and compared, stretch by stretch."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import numpy as np

from spendgate.engine.decisions import Source
from spendgate.engine.log_judge import LogJudge, fields_of
from spendgate.engine.staging import Staging
from spendgate.ledger.amendments import COLUMNS as ANNOTATED
from spendgate.ledger.amendments import NOTHING, Amendments, amendments, marked_calls
from spendgate.ledger.arrow_values import dictionary_of
from spendgate.ledger.delta_reader import Ledger
from spendgate.model.policy import Policy
from spendgate.model.reconciliation import SourceRead
from spendgate.reconcile.causes import NoCorrections
from spendgate.reconcile.codes import Codes
from spendgate.reconcile.comparing import Comparing
from spendgate.reconcile.corrected import CorrectedCalls
from spendgate.reconcile.missing import Missing
from spendgate.reconcile.owed import Owing
from spendgate.reconcile.published import LAST_PLACE, Published, Stream, place_text
from spendgate.reconcile.rejected import rejections
from spendgate.reconcile.tally import Tally
from spendgate.simulate.arrow_columns import NEEDED, columns_of
from spendgate.simulate.ledger_log import Begun, LedgerLog
from spendgate.simulate.log_pieces import LogPieces
from spendgate.simulate.run import corrected

_EVENT = ("id", "source", "tenant", "check_id", "offset", "index")


class PartitionCompared:
    """Tallies what is wanted of one topic partition. Raises LedgerError; KeyError for a policy that is missing."""

    def __init__(
        self, ledger: Ledger, log: LedgerLog, source: Source, policies: Mapping[str, Policy], tally: Tally
    ) -> None:
        tenant = tally.wanted.tenant
        named = {each.activation.hash for each in log.begun(tenant=tenant)}
        mine = {name: policies[name] for name in sorted(each for each in named if each is not None)}
        self._log, self._source, self._tally = log, source, tally
        self._pieces = LogPieces(ledger, log, tenant, (*NEEDED, *_EVENT), fields_of(mine))
        self._judge, codes = LogJudge(mine), Codes()
        self._owing = Owing(tenant, source, self._judge, codes)
        self._published = Published(ledger, tenant, source, log.covered)
        self._comparing = Comparing(
            tally, self._owing, codes, self._published, rejections(ledger, tenant, source), Missing(self._pieces, tally)
        )
        self._end_ms = 0

    def run(self) -> SourceRead:
        """Compare; what was read."""
        with closing(self._published.pieces()) as found, closing(self._pieces.pieces()) as pieces:
            stream = Stream(found)
            for piece in pieces:
                if isinstance(piece, Begun):
                    self._activate(piece)
                else:
                    self._compare(piece, stream)
            for left in stream.until(LAST_PLACE):
                self._comparing.note_extra(left)
        self._comparing.finish(self._end_ms)
        self._tally.settings = dict(self._judge.document.settings)
        gap, last = self._log.gap, self._published.last
        return SourceRead(
            topic=self._source.topic, topic_id=self._source.topic_id, partition=self._source.partition,
            first=0 if gap is None else gap.first, last=self._log.covered,
            decided=-1 if last < 0 else place_text(last)[0],
        )  # fmt: skip

    def _compare(self, events: Any, stream: Stream) -> None:
        """Judge a stretch, and compare what was published of it."""
        if isinstance(self._comparing.corrections, NoCorrections) and _has_corrections(events):
            self._comparing.corrections = CorrectedCalls(self._pieces, self._offset_of)
        owed = self._owing.of(events, self._judge.judge(columns_of(events, self._judge.names)))
        self._end_ms = max(self._end_ms, int(owed.received_ms.max()))
        self._comparing.compare(owed, stream)

    def _activate(self, begun: Begun) -> None:
        """Pass an activation, and seed the staging that it begins."""
        self._end_ms = max(self._end_ms, begun.received_ms)
        staging = self._judge.activate(begun.activation, begun.place, begun.received_ms)
        if staging is not None:
            self._seed(staging)
        self._tally.note(self._judge.document, self._source.partition, begun.place, begun.received_ms)

    def _seed(self, staging: Staging) -> None:
        seeder, row = self._judge.seeder(staging), 0
        if seeder is None:
            return
        amended = self._amended(staging.offset)
        with closing(self._pieces.pieces(staging.offset)) as pieces:
            for piece in pieces:
                if isinstance(piece, Begun):
                    seeder.activate(piece.activation, piece.received_ms)
                    continue
                part = amended.between(row, row + piece.num_rows)
                seeder.judge(corrected(columns_of(piece, seeder.names), part))
                row += piece.num_rows

    def _amended(self, stop: int) -> Amendments:
        """What the corrections before an offset say of the calls before it."""
        if isinstance(self._comparing.corrections, NoCorrections):
            return NOTHING
        first, second = (self._pieces.batches(ANNOTATED, stop) for _ in range(2))
        return amendments(first, second, marked_calls)

    def _offset_of(self, staging: str) -> int | None:
        known = self._tally.stagings.get(staging)
        return None if known is None else known.offset


def _has_corrections(events: Any) -> bool:
    codes, kinds = dictionary_of(events["kind"])
    return "correction" in kinds and bool(np.any(codes == kinds.index("correction")))
