"""A history from memory gives the same reports as the ledger, whatever was asked before; what is kept is bounded."""

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_shadow.simulations.memory import Memory
from spendgate.ledger.call_index import CallIndex
from spendgate.simulate.job import Job, Source, history_of, run_job
from spendgate.simulate.remembered import Remembered
from spendgate.simulate.report import encode
from spendgate.simulate.selection import Selection
from spendgate.simulate.sweep import sweep_section
from tests.engine.scenes import TENANT, budget, call, correction, examples, log_of, policy
from tests.reconcile.test_reconcile import write
from tests.strategies import Log, logs

CAPPED = policy(budget("10", {"calendar": "day", "timezone": "UTC"}, per=["team"]), name="capped")


def job(root: str, *, policies: Any = (CAPPED,), **selected: Any) -> Job:
    """A draft's, with a sweep: two passes over the history, that read other columns."""
    sections = {"sweep": sweep_section("capped/0.cap=1,10,100", [CAPPED])} if CAPPED in policies else {}
    return Job(
        command=[], policies=list(policies), source=Source(ledger=root), selection=Selection(**selected),
        sections=sections,
    )  # fmt: skip


@examples(15)
@given(logs(messages=12))
def test_a_report_is_the_same_from_memory_and_from_the_ledger(log: Log) -> None:
    with TemporaryDirectory() as folder:
        write(Path(folder), log.records, [])
        history = Remembered(history_of(Source(ledger=folder), Selection(), lambda _: None))
        for policies in ((CAPPED,), tuple(log.documents.values()), (CAPPED,)):
            asked = job(folder, policies=policies)
            assert encode(run_job(asked, history=history)) == encode(run_job(asked))


def test_corrections_are_in_it_and_what_the_days_leave_out_is_not(tmp_path: Path) -> None:
    calls = [call(timedelta(hours=n), f"e{n}", team="a") for n in range(0, 60, 6)]
    ledger = write(tmp_path, log_of(*calls, correction(timedelta(hours=61), "e12", 7)), [])
    first = next(ledger.event_batches(TENANT, ["time"]))["time"][0].as_py()
    asked = job(str(tmp_path), from_=first + timedelta(hours=11), to=first + timedelta(hours=30))
    history = Remembered(history_of(asked.source, asked.selection, lambda _: None))
    from_memory = [run_job(asked, history=history) for _ in range(2)]
    assert from_memory == [run_job(asked)] * 2
    assert from_memory[0]["history"]["calls"] == 3


def test_owners_that_the_days_leave_out_are_no_owners(tmp_path: Path) -> None:
    calls = [call(timedelta(hours=n), f"e{n}", team=f"t{n:02}") for n in range(70)]
    first = next(write(tmp_path, log_of(*calls), []).event_batches(TENANT, ["time"]))["time"][0].as_py()
    asked = job(str(tmp_path), to=first + timedelta(hours=60))
    history = Remembered(history_of(asked.source, asked.selection, lambda _: None))
    found = run_job(asked, history=history)
    assert found == run_job(asked)
    assert sorted(each["value"] for each in found["owners"]["team"]) == [f"t{n:02}" for n in range(60)]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 60)), min_size=1, max_size=12))
def test_no_more_is_kept_than_there_is_room_for_and_the_latest_is(
    tmp_path_factory: pytest.TempPathFactory, asked: list[tuple[int, int]]
) -> None:
    root = str(LEDGERS.setdefault("one", _one(tmp_path_factory)))
    memory, kept = Memory(most_rows=100), dict[int, int]()
    for number, rows in asked:
        one = job(root, where={"team": str(number)})
        if memory.of(one) is None:
            made = memory.keep(one, rows)
            assert made is not None
            kept[number] = rows
        assert memory.of(one) is not None
        held = [each for each in kept if memory.of(job(root, where={"team": str(each)})) is not None]
        memory.of(one)  # it was looked at the latest
        assert sum(kept[each] for each in held) <= 100
    assert memory.keep(job(root, where={"team": "long"}), 101) is None


LEDGERS: dict[str, Path] = {}


def _one(folders: pytest.TempPathFactory) -> Path:
    root = folders.mktemp("ledger")
    write(root, log_of(call(timedelta(0), "e0")), [])
    return root


def test_an_index_finds_what_came_since_and_gives_up_on_what_is_too_long(tmp_path: Path) -> None:
    first = log_of(*(call(timedelta(minutes=n), f"e{n}") for n in range(5)))
    index = CallIndex()
    before = write(tmp_path, first, [])
    assert not index.is_prepared(TENANT)
    index.prepare(before, TENANT)
    assert index.is_prepared(TENANT)
    found = index.files(before, TENANT, "e3")
    assert found is not None
    assert (len(found.calls), len(found.annotations)) == (1, 0)
    assert index.files(before, TENANT, "nobody") == (frozenset(), frozenset())
    assert CallIndex(most_rows=4).files(before, TENANT, "e3") is None
