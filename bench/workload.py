"""The events of the comparison: about 400 bytes each, of 1,000 employees in 50 teams, every id new."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from spendgate.model.event import MAX_EVENTS_PER_MESSAGE, Event, encode_events

EMPLOYEES, TEAMS, WORKFLOWS, PROJECTS = 1000, 50, 20, 40
MODELS = (
    ("openai", "gpt-4.1-mini"),
    ("openai", "gpt-4.1"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-haiku-4-5"),
    ("google", "gemini-2.5-flash"),
    ("mistral", "mistral-large-2411"),
)
PACKED = MAX_EVENTS_PER_MESSAGE
_TEMPLATES = 20_000
_PLACE = "00000000-0000-7000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class _Habits:
    """What one employee uses: people do not call every model from every workflow."""

    team: int
    workflows: tuple[int, int, int]
    models: tuple[int, int]


class Workload:
    """Encoded events of one tenant. Times lie in the five minutes before ``now``, costs in $0.001 to $0.024."""

    def __init__(self, tenant: str, seed: int = 1, now: datetime | None = None) -> None:
        rng = Random(seed)
        start = now or datetime.now(UTC)
        habits = [_habits(rng, employee) for employee in range(EMPLOYEES)]
        self._templates = [_split(_event(rng, tenant, start, habits)) for _ in range(_TEMPLATES)]
        self._series = 0
        self.tenant = tenant

    @property
    def bytes_per_event(self) -> int:
        """The mean length of an encoded event."""
        return sum(len(head) + len(tail) + len(_PLACE) for head, tail in self._templates) // len(self._templates)

    def messages(self, events: int, packed: int) -> list[bytes]:
        """``events`` new events as message values of ``packed`` events each; 1 means the bare object."""
        encoded = self._encoded(events)
        if packed == 1:
            return list(encoded)
        everything = list(encoded)
        parts = (everything[i : i + packed] for i in range(0, events, packed))
        return [b"[" + b",".join(part) + b"]" for part in parts]

    def _encoded(self, events: int) -> Iterator[bytes]:
        """Each has an id of its own: a series for each call, and a running number."""
        self._series += 1
        templates, count = self._templates, len(self._templates)
        for number in range(events):
            head, tail = templates[number % count]
            yield b"%b%08x-0000-7000-8000-%012x%b" % (head, self._series, number, tail)


def _habits(rng: Random, employee: int) -> _Habits:
    first, second, third = rng.sample(range(WORKFLOWS), 3)
    one, other = rng.sample(range(len(MODELS)), 2)
    return _Habits(employee % TEAMS, (first, second, third), (one, other))


def _event(rng: Random, tenant: str, start: datetime, habits: list[_Habits]) -> Event:
    employee = rng.randrange(EMPLOYEES)
    own = habits[employee]
    vendor, model = MODELS[rng.choice(own.models)]
    output_tokens = rng.randrange(20, 1500)
    return Event(
        id=_PLACE,
        source="gateway-eu",
        tenant=tenant,
        time=start - timedelta(milliseconds=rng.randrange(300_000)),
        team=f"team-{own.team:02d}",
        employee=f"employee-{employee:04d}",
        project=f"project-{rng.randrange(PROJECTS):02d}",
        api_key_id=f"key-{own.team:02d}",
        workflow=f"workflow-{rng.choice(own.workflows):02d}",
        vendor=vendor,
        model=model,
        input_tokens=rng.randrange(100, 20_000),
        output_tokens=output_tokens,
        cost_nano_usd=rng.randrange(1_000_000, 24_000_000),
        cost_source="priced",
        latency_ms=200 + 15 * output_tokens,
        status="ok",
    )


def _split(event: Event) -> tuple[bytes, bytes]:
    head, tail = encode_events(event).split(_PLACE.encode())
    return head, tail
