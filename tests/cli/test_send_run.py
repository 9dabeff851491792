"""The sending loop: progress counts what was acknowledged, never more, and nothing is left out."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event as Flag

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from spendgate.cli.kafka_client import KafkaAway
from spendgate.cli.send_progress import Progress, Target, target_of
from spendgate.cli.send_run import Item, Job, run, with_an_event
from spendgate.cli.send_session import Pricing
from spendgate.cli.send_slices import live_slices, slices
from spendgate.ledger.readers import InputError, ReadOptions, Refused
from spendgate.ledger.sample import busy_hour
from spendgate.model.event import Event
from spendgate.prices.book import PriceBook
from spendgate.prices.events import Mode, price_events
from spendgate.prices.tally import PriceTally

START = datetime(2026, 11, 5, 9, tzinfo=UTC)


class Receipt:
    """A message that the fake took; acknowledged when it is waited for."""

    is_done = True

    def get(self, timeout: float | None = None) -> object:
        return None


@dataclass
class FakeWire:
    """Takes messages. Fails, when waited for, after ``breaks_after`` acknowledged messages."""

    breaks_after: int = 10**9
    sent: list[bytes] = field(default_factory=list)
    acknowledged: int = 0

    def send(self, topic: str, key: bytes, value: bytes) -> Receipt:
        self.sent.append(value)
        return Receipt()

    def wait(self, sent: Iterable[object]) -> None:
        for _ in sent:
            if self.acknowledged == self.breaks_after:
                raise KafkaAway("gone")
            self.acknowledged += 1


def job(stop: Flag | None = None, put: Callable[[Refused], None] | None = None) -> Job:
    return Job(
        topic="events",
        pack=10,
        shift=timedelta(hours=1),
        rate=None,
        stop=stop or Flag(),
        put_aside=put or (lambda refused: None),
        acknowledged=lambda progress: None,
    )


def fresh() -> Progress:
    return Progress(target=Target("", 0, "", "", ""), shift_us=0)


def items(count: int) -> list[Item]:
    rows: list[Item] = list(busy_hour(count, 1, START))
    rows[1::7] = [Refused(n, "team", "a name") for n in range(len(rows[1::7]))]
    return rows


@given(st.integers(2, 200), st.integers(1, 50))
def test_at_the_end_every_row_is_counted(count: int, size: int) -> None:
    wire, progress, aside = FakeWire(), fresh(), list[Refused]()
    rows = items(count)
    assert run(slices(rows, size), wire, job(put=aside.append), progress)
    assert (progress.rows, progress.events + progress.quarantined) == (count, count)
    assert (progress.messages, wire.acknowledged) == (len(wire.sent), len(wire.sent))
    assert aside == [row for row in rows if isinstance(row, Refused)]


@given(st.integers(1, 30), st.integers(1, 20))
def test_after_a_loss_no_row_counts_that_was_not_acknowledged(breaks_after: int, size: int) -> None:
    wire, progress = FakeWire(breaks_after), fresh()
    with pytest.raises(KafkaAway):
        run(slices(list(busy_hour(400, 1, START)), size), wire, job(), progress)
    assert progress.messages <= breaks_after
    assert progress.rows % size == 0
    assert progress.rows == progress.events


@given(st.integers(0, 9), st.integers(1, 20))
def test_a_stop_leaves_nothing_in_flight_and_a_second_run_sends_the_rest(after: int, size: int) -> None:
    rows = list(busy_hour(200, 1, START))
    stop, wire, progress = Flag(), FakeWire(), fresh()
    finished = run(_stopping_at(slices(rows, size), stop, after), wire, job(stop), progress)
    assert finished == (progress.rows == len(rows))
    assert wire.acknowledged == len(wire.sent)
    assert run(slices(rows[progress.rows :], size), wire, job(), progress)
    assert progress.events == len(rows)


def _stopping_at(parts: Iterator[list[Event]], stop: Flag, after: int) -> Iterator[list[Item]]:
    for number, part in enumerate(parts):
        if number == after:
            stop.set()
        yield list(part)


def test_times_are_shifted() -> None:
    wire = FakeWire()
    run(iter([list(busy_hour(1, 1, START))]), wire, job(), fresh())
    [before] = busy_hour(1, 1, START)
    assert (before.time + timedelta(hours=1)).isoformat()[:23] in wire.sent[0].decode()


def test_a_rate_holds_the_loop_back() -> None:
    now, waited = [0.0], []

    class Clockwork(Flag):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout)
            now[0] += timeout or 0
            return False

    paced = Job(
        topic="events",
        pack=10,
        shift=timedelta(0),
        rate=50,
        stop=Clockwork(),
        put_aside=lambda refused: None,
        acknowledged=lambda progress: None,
        clock=lambda: now[0],
    )
    run(slices(list(busy_hour(100, 1, START)), 10), FakeWire(), paced, fresh())
    assert now[0] == pytest.approx(100 / 50)
    assert len(waited) == 10


@given(st.lists(st.integers(), max_size=100), st.integers(1, 20))
def test_slices_hold_everything_in_order(rows: list[int], size: int) -> None:
    for cut in (slices, live_slices):
        parts = list(cut(rows, size))
        assert [row for part in parts for row in part] == rows
        assert all(len(part) <= size for part in parts)


def test_a_pausing_source_is_not_waited_for() -> None:
    more = Flag()

    def source() -> Iterator[int]:
        yield 1
        more.wait()
        yield 2

    parts = live_slices(source(), 1000)
    assert next(parts) == [1]
    more.set()
    assert [row for part in parts for row in part] == [2]


def test_a_failing_source_fails_here() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise InputError("line 2: too long")

    parts = live_slices(source(), 1000)
    with pytest.raises(InputError, match="line 2"):
        list(parts)


def test_a_file_without_an_event_is_the_wrong_file() -> None:
    bad: list[Item] = [Refused(n, "team", "a name") for n in range(1, 200)]
    with pytest.raises(InputError, match="none of the first 100 rows is an event; line 1: team: expected a name"):
        list(with_an_event(bad))


@given(st.integers(0, 99))
def test_a_file_with_a_late_first_event_is_read_whole(bad: int) -> None:
    rows: list[Item] = [Refused(n, "team", "a name") for n in range(bad)]
    rows += busy_hour(5, 1, START)
    assert list(with_an_event(rows)) == rows


@pytest.mark.parametrize("mode", ["missing", "recomputed"])
def test_costs_are_set_by_the_events_own_times_and_then_the_times_are_moved(mode: Mode) -> None:
    rows = list(busy_hour(200, 3, START))
    for event in rows[::3]:
        event.cost_nano_usd = event.cost_source = None
    book, tally = PriceBook(), PriceTally()
    expected = [
        replace(event, time=event.time + timedelta(hours=1)) for event in price_events(rows, book, mode, PriceTally())
    ]
    wire = FakeWire()
    plain = job()
    priced = Job(
        plain.topic, plain.pack, plain.shift, None, plain.stop, plain.put_aside, plain.acknowledged,
        priced=lambda events: price_events(events, book, mode, tally),
    )  # fmt: skip
    assert run(slices(iter(rows), 50), wire, priced, fresh())
    sent = [event for value in wire.sent for event in msgspec.json.decode(value, type=list[Event])]
    assert sent == expected
    assert tally.total.calls == sum(event.kind == "call" for event in rows)


def test_a_send_at_other_prices_is_another_send(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"{}\n")
    pricings = [None, Pricing(PriceBook(), "missing"), Pricing(PriceBook(), "recomputed")]
    names = ["" if each is None else each.name for each in pricings]
    targets = {target_of(path, ReadOptions(), "events", "id", name) for name in names}
    assert len(targets) == 3
    assert target_of(path, ReadOptions(), "events", "id") in targets
