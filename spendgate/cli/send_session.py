"""One send from beginning to end: open, go on where the last one stopped, send, keep the progress."""

import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from threading import Event as Flag
from threading import current_thread, main_thread
from types import FrameType

from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from spendgate.cli import send_progress
from spendgate.cli.kafka_client import KafkaAway, Producer, topic_id_of
from spendgate.cli.send_progress import Progress, Target
from spendgate.cli.send_run import Item, Job, run, with_an_event
from spendgate.cli.send_slices import SLICE_ROWS, live_slices, slices
from spendgate.ledger.reader_quarantine import Quarantine
from spendgate.ledger.readers import (
    FolderReading,
    InputError,
    Reading,
    ReadOptions,
    open_reading,
    read_events,
)
from spendgate.model.event import Event
from spendgate.model.text import NONE
from spendgate.model.topics import Topic, load_topics
from spendgate.prices.book import PriceBook
from spendgate.prices.events import Mode, price_events
from spendgate.prices.tally import PriceTally

Notice = Callable[[str], None]
_STDIN = "stdin"
_NO_TARGET = Target("", 0, "", "", "")


@dataclass(frozen=True, slots=True)
class Pricing:
    """Costs from a price book; ``tally`` is of what this call has priced."""

    book: PriceBook
    mode: Mode
    tally: PriceTally = field(default_factory=PriceTally)

    @property
    def name(self) -> str:
        """What sets a send with these prices apart from one with others."""
        return f"{self.mode} {self.book.hash}"

    def of(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events with their costs."""
        return price_events(events, self.book, self.mode, self.tally)


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for; ``path`` is None for stdin."""

    path: Path | None
    options: ReadOptions
    shift_to: datetime | None
    pack: int
    rate: int | None
    timeout_s: float
    state: Path | None
    quarantine: Path | None
    bootstrap: str
    pricing: Pricing | None = None

    @property
    def state_path(self) -> Path:
        """Where the progress is kept."""
        return self.state or Path(f"{self.path or _STDIN}{send_progress.SUFFIX}")

    @property
    def quarantine_path(self) -> Path:
        """Where bad rows are noted."""
        return self.quarantine or Path(f"{self.path or _STDIN}.spendgate-quarantine.jsonl")


class Result(Struct, frozen=True, kw_only=True):
    """What a send did. The counts are of the whole file, those of an interrupted send before it included."""

    topic: str
    partitions: int
    format: str
    rows: int
    events: int
    messages: int
    resumed_rows: int
    quarantined: int
    quarantine: str | None
    ignored_columns: list[str]
    dropped_fields: list[str]
    seeded: bool
    shifted_seconds: float
    unpriced: list[str] | None
    interrupted: bool
    resumable: bool


def perform(request: Request, console: Console, notice: Notice) -> Result:
    """Send. Raises InputError, OSError and KafkaAway; the progress is then kept, and a next call goes on."""
    topic = load_topics().events
    with _opened(request) as reading:
        progress = _progress(request, topic.name, notice)
        resumed_rows = progress.rows
        with Producer(request.bootstrap, request.timeout_s, notice) as producer:
            found = producer.partitions(topic.name)
            if found != topic.partitions:
                raise KafkaAway(f"{topic.name}: expected {topic.partitions} partitions, found {found}")
            finished = _send(_Session(request, topic, reading, progress, console, notice), producer)
    if finished and request.path is not None:
        request.state_path.unlink(missing_ok=True)
    return _result(request, topic, reading, progress, resumed_rows, finished)


@contextmanager
def _opened(request: Request) -> Iterator[Reading | FolderReading]:
    if request.path is None:
        yield Reading(sys.stdin.buffer, request.options)
        return
    with open_reading(request.path, request.options) as reading:
        yield reading


def _progress(request: Request, topic: str, notice: Notice) -> Progress:
    """Where to begin: what an interrupted send of the same left, or the beginning."""
    if request.path is None:
        if request.shift_to is not None:
            raise InputError("shift-to: expected a file, for the last time on stdin is not known")
        return Progress(target=_NO_TARGET, shift_us=0)
    topic_id = topic_id_of(request.bootstrap, topic, request.timeout_s, notice)
    priced_by = "" if request.pricing is None else request.pricing.name
    target = send_progress.target_of(request.path, request.options, topic, topic_id, priced_by)
    kept = send_progress.load(request.state_path, target)
    if kept is not None:
        notice(f"going on after row {kept.rows:,} of an interrupted send")
        return kept
    return Progress(target=target, shift_us=_shift_us(request.path, request.options, request.shift_to))


def _shift_us(path: Path, options: ReadOptions, shift_to: datetime | None) -> int:
    """What to add to every time, in microseconds, to bring the latest to ``shift_to``: a pass of its own."""
    if shift_to is None:
        return 0
    latest = max((event.time for event in read_events(path, options)), default=shift_to)
    return (shift_to - latest) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class _Session:
    """What a send works with."""

    request: Request
    topic: Topic
    reading: Reading | FolderReading
    progress: Progress
    console: Console
    notice: Notice

    def acknowledged(self, progress: Progress) -> None:
        """Keep the progress, where there is a file to go on with."""
        if self.request.path is not None:
            send_progress.save(self.request.state_path, progress)

    def slices(self) -> Iterator[list[Item]]:
        """The rows that are still to be sent."""
        rows = islice(with_an_event(self.reading), self.progress.rows, None)
        rate = self.request.rate
        size = SLICE_ROWS if rate is None else min(SLICE_ROWS, max(1, rate // 4))
        return live_slices(rows, size) if self.request.path is None else slices(rows, size)


def _send(session: _Session, producer: Producer) -> bool:
    request, progress = session.request, session.progress
    stop = Flag()
    with (
        Quarantine(request.quarantine_path, append=progress.rows > 0) as quarantine,
        _bar(session) as moved,
        _stopping(stop, session.notice),
    ):

        def acknowledged(now: Progress) -> None:
            session.acknowledged(now)
            moved()

        job = Job(
            topic=session.topic.name,
            pack=request.pack,
            shift=timedelta(microseconds=progress.shift_us),
            rate=request.rate,
            stop=stop,
            put_aside=quarantine.put,
            acknowledged=acknowledged,
            priced=iter if request.pricing is None else request.pricing.of,
        )
        return run(session.slices(), producer, job, progress)


@contextmanager
def _bar(session: _Session) -> Iterator[Callable[[], None]]:
    """A progress bar by bytes read, with the events acknowledged beside it."""
    words = TextColumn("{task.fields[events]:,} events")
    with Bar(BarColumn(), words, TimeElapsedColumn(), console=session.console, transient=True) as bar:
        task = bar.add_task("", total=session.progress.target.size_bytes or None, events=session.progress.events)
        yield lambda: bar.update(task, completed=session.reading.bytes_read, events=session.progress.events)


@contextmanager
def _stopping(stop: Flag, notice: Notice) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) sets ``stop``; a second one interrupts."""

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        notice("stopping once what was handed over is acknowledged; again to stop at once")

    if current_thread() is not main_thread():
        yield
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _result(
    request: Request,
    topic: Topic,
    reading: Reading | FolderReading,
    progress: Progress,
    resumed_rows: int,
    finished: bool,
) -> Result:
    return Result(
        topic=topic.name,
        partitions=topic.partitions,
        format=reading.format,
        rows=progress.rows,
        events=progress.events,
        messages=progress.messages,
        resumed_rows=resumed_rows,
        quarantined=progress.quarantined,
        quarantine=str(request.quarantine_path) if progress.quarantined else None,
        ignored_columns=reading.ignored,
        dropped_fields=reading.dropped,
        seeded="azure" in reading.format,
        shifted_seconds=progress.shift_us / 1e6,
        unpriced=None if request.pricing is None else _unpriced(request.pricing.tally),
        interrupted=not finished,
        resumable=request.path is not None,
    )


def _unpriced(tally: PriceTally) -> list[str]:
    """``vendor model: why, how many calls``, those with most calls first."""
    return [
        f"{m.vendor or NONE} {m.model or NONE}: {m.why.name.lower()}, {each.calls:,} calls"
        for m, each in tally.missing()
    ]
