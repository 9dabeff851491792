"""The Azure LLM inference trace: arrival time, input tokens, output tokens, and nothing about owners.

Source: Azure LLM inference trace 2023 (CC-BY 4.0), Patel et al., "Splitwise", ISCA 2024. Owners, model and
cost are given by the seeded rule of ``spendgate.ledger.sample.TraceRule``; say so wherever the numbers show.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from spendgate.ledger.reader_lines import Lines
from spendgate.ledger.reader_options import DEFAULT_TENANT, ReadOptions
from spendgate.ledger.reader_problem import EARLIEST, LATEST, ROW, Refused
from spendgate.ledger.sample import TraceRule
from spendgate.model.event import Event

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"
_ROW = re.compile(rb"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(\.\d{1,9})?,(\d{1,9}),(\d{1,9})\s*", re.ASCII)


def read_azure(lines: Lines, options: ReadOptions) -> Iterator[Event | Refused]:
    """The calls of the rows after the header; times are UTC, cut to the microsecond."""
    rule = TraceRule(options.seed, options.tenant or DEFAULT_TENANT, options.source)
    for raw in lines:
        if raw.isspace():
            continue
        parsed = _parse(raw)
        if parsed is None:
            yield Refused(lines.number, ROW, f"a row of {HEADER}")
        else:
            yield rule.call(lines.identity(), *parsed)


def _parse(raw: bytes) -> tuple[datetime, int, int] | None:
    row = _ROW.fullmatch(raw)
    if row is None:
        return None
    try:
        time = datetime.fromisoformat((row[1] + (row[2] or b"")).decode()).replace(tzinfo=UTC)
    except ValueError:
        return None
    return (time, int(row[3]), int(row[4])) if EARLIEST <= time < LATEST else None
