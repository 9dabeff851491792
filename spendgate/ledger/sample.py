"""Seeded samples: a busy hour of AI calls, and the rule that gives the calls of a bare trace their owners.

Both are functions of their arguments alone. The numbers are imagined; say so wherever they are shown.
"""

from bisect import bisect
from collections import deque
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random

from spendgate.ledger.sample_company import Company, Draw, Owner, log_normal, price_nano_usd
from spendgate.model.event import Event, Outcome
from spendgate.model.money import MAX_COST_NANO_USD

HOUR_S = 3600
_UNPRICED = 0.01
_REPEATED = 0.005
_ANNOTATED = 0.005
_UNKNOWN_OWNER = 0.015
_RECENT = 2000
_MAX_INPUT_TOKENS = 180_000
_MAX_OUTPUT_TOKENS = 16_000
_OUTCOMES: Draw[Outcome] = Draw(("accepted", "revised", "rejected", "escalated", "failed"), (60, 20, 10, 6, 4))


@dataclass(frozen=True, slots=True)
class _Hour:
    """What does not change from call to call."""

    start: datetime
    tenant: str
    source: str
    prefix: str


def busy_hour(events: int, seed: int, start: datetime, tenant: str = "default") -> Iterator[Event]:
    """A busy hour from ``start`` on, as ``events`` records in the order of their arrival.

    Arrivals come in bursts; tokens are log-normal; a call costs about $0.012 on average. About 1 % of the
    records are unpriced, 0.5 % repeat a call just before, 0.5 % say how one ended, 1.5 % have no known owner.
    The same arguments give the same records; another seed or start gives other ids. Raises ValueError for a
    naive ``start``.
    """
    if start.tzinfo is None:
        raise ValueError("start: expected an aware instant")
    rng = Random(seed)
    company = Company(rng)
    hour = _Hour(start, tenant, "sample", f"{start:%Y%m%dT%H%M%S}-{seed}-")
    recent: deque[Event] = deque(maxlen=_RECENT)
    for number, at_ms in enumerate(_arrivals_ms(events, rng)):
        kind = rng.random() if recent else 1.0
        if kind < _REPEATED:
            yield copy(recent[int(rng.random() * len(recent))])
        elif kind < _REPEATED + _ANNOTATED:
            yield _outcome(hour, number, at_ms, recent[int(rng.random() * len(recent))], rng)
        else:
            recent.append(_call(hour, number, at_ms, company.owner(rng), rng))
            yield recent[-1]


def _arrivals_ms(count: int, rng: Random) -> list[int]:
    """``count`` ascending times in the hour, in ms: a steady flow, and a dozen bursts of 4 to 12 times it."""
    weights = [1.0] * HOUR_S
    for _ in range(12):
        first, factor = int(rng.random() * HOUR_S), 4 + 8 * rng.random()
        for second in range(first, min(HOUR_S, first + 15 + int(rng.random() * 60))):
            weights[second] *= factor
    sums = list(accumulate(weights))
    return sorted(
        bisect(sums, rng.random() * sums[-1], hi=HOUR_S - 1) * 1000 + int(rng.random() * 1000) for _ in range(count)
    )


def _call(hour: _Hour, number: int, at_ms: int, owner: Owner, rng: Random) -> Event:
    team, employee, flow, model = owner
    known = rng.random() >= _UNKNOWN_OWNER
    priced = rng.random() >= _UNPRICED
    tokens_in = min(_MAX_INPUT_TOKENS, 1 + int(log_normal(rng, flow.input_median, 0.9)))
    tokens_out = min(_MAX_OUTPUT_TOKENS, 1 + int(log_normal(rng, flow.output_median, 0.8)))
    return Event(
        id=f"{hour.prefix}{number:06d}",
        source=hour.source,
        tenant=hour.tenant,
        time=hour.start + timedelta(milliseconds=at_ms),
        team=team if known else None,
        employee=employee if known else None,
        api_key_id=f"key-{team}" if known else None,
        workflow=flow.name,
        vendor=model.vendor if priced else "self-hosted",
        model=model.name if priced else "llama-3.3-70b",
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cost_nano_usd=price_nano_usd(model, tokens_in, tokens_out) if priced else None,
        cost_source="priced" if priced else "unpriced",
        latency_ms=200 + 15 * tokens_out,
        status="ok" if rng.random() > 0.01 else "error",
    )


def _outcome(hour: _Hour, number: int, at_ms: int, call: Event, rng: Random) -> Event:
    return Event(
        id=f"{hour.prefix}{number:06d}",
        source=hour.source,
        tenant=hour.tenant,
        time=hour.start + timedelta(milliseconds=at_ms),
        kind="outcome",
        refers_to=call.id,
        outcome=_OUTCOMES(rng),
    )


class TraceRule:
    """Gives each call of a trace a team, an employee, a workflow, a model and its list price.

    They are drawn, call by call in the order of the file, as in ``busy_hour``; the trace says none of it.
    """

    def __init__(self, seed: int, tenant: str, source: str) -> None:
        self._rng = Random(seed)
        self._company = Company(self._rng)
        self._tenant = tenant
        self._source = source

    def call(self, identity: str, time: datetime, input_tokens: int, output_tokens: int) -> Event:
        """The next call of the trace."""
        team, employee, flow, model = self._company.owner(self._rng)
        cost_nano_usd = price_nano_usd(model, input_tokens, output_tokens)
        priced = cost_nano_usd <= MAX_COST_NANO_USD
        return Event(
            id=identity,
            source=self._source,
            tenant=self._tenant,
            time=time,
            team=team,
            employee=employee,
            api_key_id=f"key-{team}",
            workflow=flow.name,
            vendor=model.vendor,
            model=model.name,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost_nano_usd=cost_nano_usd if priced else None,
            cost_source="priced" if priced else "unpriced",
        )
