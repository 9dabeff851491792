"""Golden ledgers: what a person works out by hand, the simulator says of a file and of a ledger alike."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from spendgate.model.decision import VERDICTS, Position
from spendgate.model.event import encode_events
from spendgate.model.money import parse_usd
from spendgate.simulate.job import Job, Source, run_job
from spendgate.simulate.run import Options
from tests.gallery.scene import Scene, Window, scenes, sums, wanted
from tests.oracle.documents import Record, to_ms
from tests.recorded import LOG, record

SCENES = scenes()
Write = Callable[[Scene, Path], Source]


def as_file(scene: Scene, folder: Path) -> Source:
    """One event a line, in log order."""
    path = folder / "events.jsonl"
    path.write_bytes(b"".join(encode_events(event) + b"\n" for event in scene.events()))
    return Source(events=path)


def as_ledger(scene: Scene, folder: Path) -> Source:
    """As the ledger agent writes it: one event a message, received at its own time."""
    log = [Record(Position(*LOG, offset, 0), to_ms(event.time), event) for offset, event in enumerate(scene.events())]
    record(folder / "ledger", log)
    return Source(ledger=str(folder / "ledger"))


@pytest.fixture(params=[as_file, as_ledger])
def write(request: pytest.FixtureRequest) -> Write:
    chosen: Write = request.param
    return chosen


@pytest.fixture(params=SCENES, ids=str)
def scene(request: pytest.FixtureRequest) -> Scene:
    return SCENES[request.param]


def simulated(scene: Scene, source: Source, rows: Path | None = None) -> dict[str, Any]:
    options = Options(scene.options.reviews == "refused", scene.options.as_recorded)
    return run_job(Job(["spendgate"], [scene.policy], source, options=options, decisions=rows))


def test_every_call_gets_the_verdict_worked_out_by_hand(scene: Scene, write: Write, tmp_path: Path) -> None:
    rows = tmp_path / "rows.parquet"
    simulated(scene, write(scene, tmp_path), rows)
    looked = [(row["event_id"], row["verdict"]) for row in pq.read_table(rows).to_pylist()]
    names = [event.id for event in scene.events()]
    expected = [(names[number - 1], verdict) for number, verdict in scene.expected()]
    if scene.looked is not None:
        assert len(looked) == scene.looked
        expected = [each for each in expected if each in looked]
    assert sorted(looked) == sorted(expected)


def test_the_report_says_what_was_worked_out_by_hand(scene: Scene, write: Write, tmp_path: Path) -> None:
    report = simulated(scene, write(scene, tmp_path))
    assert sums(report["verdicts"]["closed"], VERDICTS) == wanted(scene.closed, VERDICTS)
    if scene.open is not None:
        assert sums(report["verdicts"]["open"], VERDICTS) == wanted(scene.open, VERDICTS)
    assert {name: report["history"][name] for name in scene.history} == scene.history
    if scene.looked is not None:
        assert report["by_policy"][0]["looked"] == scene.looked
    if scene.unpriced is not None:
        assert report["unpriced"] == scene.unpriced
    if scene.reviews is not None:
        found = report["reviews"]
        assert (found["calls"], found["cost_nano_usd"]) == (scene.reviews.calls, parse_usd(scene.reviews.usd))


def test_windows_are_those_worked_out_by_hand(scene: Scene, write: Write, tmp_path: Path) -> None:
    report = simulated(scene, write(scene, tmp_path))
    total = len(scene.windows) if scene.windows_total is None else scene.windows_total
    if scene.windows or scene.windows_total is not None:
        assert report["windows_total"] == len(report["windows"]) == total
    rows = {(row["rule"], row["key"], row["start"]): row for row in report["windows"]}
    for each in scene.windows:
        assert window_of(rows[each.rule, each.key, each.start]) == each


def window_of(row: dict[str, Any]) -> Window:
    return Window(
        rule=row["rule"], key=row["key"], start=row["start"], end=row["end"], used=usd(row["used_nano_usd"]),
        recorded=usd(row["recorded_nano_usd"]), first_breach=row["first_breach"], hours_left=row["hours_left"],
        over=(row["over_cap_calls"], usd(row["over_cap_nano_usd"])), denied=row["denied_calls"],
        partial=row["partial"],
    )  # fmt: skip


def usd(nano_usd: int) -> str:
    whole, rest = divmod(nano_usd, 10**9)
    return f"{whole}.{rest:09}".rstrip("0").rstrip(".")


def test_owners_and_outcomes_are_those_worked_out_by_hand(scene: Scene, write: Write, tmp_path: Path) -> None:
    report = simulated(scene, write(scene, tmp_path))
    for name, owners in scene.owners.items():
        found = {row["value"] or "(none)": row for row in report["owners"][name]}
        assert found.keys() == owners.keys()
        for value, owner in owners.items():
            row = found[value]
            assert (row["calls"], row["cost_nano_usd"]) == (owner.calls, parse_usd(owner.usd))
            assert sums(row["closed"], ["deny"]) == wanted({"deny": owner.deny}, ["deny"])
    if scene.outcomes is not None:
        words = list(report["outcomes"]["all"])
        assert sums(report["outcomes"]["all"], words) == wanted(scene.outcomes.all, words)
        assert sums(report["outcomes"]["denied"], words) == wanted(scene.outcomes.denied, words)
        each = report["outcomes"]["cost_per_accepted_nano_usd"]
        assert (each["before"], each["after"]) == tuple(
            None if said is None else parse_usd(said) for said in scene.outcomes.per_accepted
        )
    for name, lost in scene.lost.items():
        rows = [row for row in report["outcomes"]["lost_accepted_by_owner"] if row["field"] == name]
        assert {row["value"]: (row["calls"], row["cost_nano_usd"]) for row in rows} == wanted(lost, list(lost))
