"""Which windows of a program's budgets hold an instant, and their names in a store: to look, never to judge."""

from collections.abc import Iterator
from typing import NamedTuple

from spendgate.engine.compile import Program, budgets_of
from spendgate.engine.names import SlotNames, Window
from spendgate.engine.rules import CALENDAR, ROLLING
from spendgate.engine.windows import BUCKETS


class Standing(NamedTuple):
    """A budget's window, ``[start_ms, end_ms)``, which a lifetime does not have; a rolling one ends with the bucket of
    the instant. ``staging``: the place of its staging in the program; ``rule``: its number in the policy."""

    staging: int
    rule: int
    window: Window
    start_ms: int | None
    end_ms: int | None


def standing_at(program: Program, names: SlotNames, at_ms: int) -> Iterator[Standing]:
    """For each budget the window that a call made at ``at_ms`` would be counted in."""
    program.calendars(at_ms, at_ms)
    for row in budgets_of(program):
        place, start_ms, end_ms = _window(program, row, at_ms)
        staging = int(program.rules.rows["policy"][row])
        yield Standing(staging, program.rule_in_policy[row], names.window(row, place), start_ms, end_ms)


def _window(program: Program, row: int, at_ms: int) -> tuple[int, int | None, int | None]:
    """What a slot's name says of the window, and its start and end."""
    rule = program.rules.rows[row]
    if rule["window"] == CALENDAR:
        start_ms, end_ms = program.tables[int(rule["table"])].window_of(at_ms)
        return start_ms, start_ms, end_ms
    if rule["window"] == ROLLING:
        width_ms = int(rule["width_ms"])
        bucket = at_ms // width_ms
        return bucket, (bucket - BUCKETS + 1) * width_ms, (bucket + 1) * width_ms
    return 0, None, None
