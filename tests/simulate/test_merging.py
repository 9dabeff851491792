"""Runs over some tenants each, put together in any order, are the run over all of them."""

import pickle
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from spendgate.ledger.readers import ReadOptions
from spendgate.simulate.history import FileHistory
from spendgate.simulate.merging import merged, part_of
from spendgate.simulate.report import About, encode, report_of
from spendgate.simulate.run import Options, simulate
from spendgate.simulate.selection import Selection
from tests.engine.scenes import examples
from tests.simulate.drawn_files import events_of, write_events
from tests.strategies import Log, logs

ABOUT = About(["spendgate"], {}, {})


@given(log=logs(activations=False, tenants=4).filter(events_of), data=st.data(), refused=st.booleans())
@examples(40)
def test_parts_in_any_order_give_the_report_of_the_whole(log: Log, data: st.DataObject, refused: bool) -> None:
    policies, options = list(log.documents.values()), Options(refuse_reviews=refused)
    with TemporaryDirectory() as folder:
        path = write_events(Path(folder) / "events.jsonl", events_of(log))
        whole = simulate(policies, FileHistory(path, ReadOptions()), options)
        parts = [
            part_of(simulate(policies, FileHistory(path, ReadOptions(), Selection(where={"tenant": tenant})), options))
            for tenant in {event.tenant for event in events_of(log)}
        ]
    sent = [pickle.loads(pickle.dumps(part)) for part in data.draw(st.permutations(parts))]
    assert encode(report_of(merged(policies, options, sent), ABOUT)) == encode(report_of(whole, ABOUT))
