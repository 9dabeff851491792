"""Verdicts as decisions: the rich, frozen record that people and programs read."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from xxhash import xxh3_64_hexdigest

from spendgate.engine.batch import UNKNOWN, Batch, Records
from spendgate.engine.calls import EPOCH, Calls
from spendgate.engine.compile import Program
from spendgate.engine.decide import UNPRICED
from spendgate.engine.rules import BOUNDARY, BUDGET, CALENDAR, REVIEW, ROLLING, Int
from spendgate.engine.version import ENGINE_VERSION
from spendgate.engine.windows import BUCKETS
from spendgate.model.decision import CODES, VERDICTS, Code, Decision, Judged, Mark, Position, Reason, RuleKind, Verdict

Heading = tuple[str, str, str, int, RuleKind, Verdict, Code]
"""The first fields of a Reason, in their order."""

KINDS: dict[int, RuleKind] = {BUDGET: "budget", BOUNDARY: "boundary", REVIEW: "review"}


class Source(NamedTuple):
    """The partition that the calls stand in; ``topic_id`` is the id that the broker gave the topic."""

    topic: str
    topic_id: str
    partition: int


class Judgement(NamedTuple):
    """A judged batch: the calls, the records that decide filled in, and which calls had a skewed clock (0, 1)."""

    calls: Calls
    batch: Batch
    skewed: Int


def decisions_of(
    tenant: str, source: Source, heads: "Heads", text: Callable[[int], str], judged: Judgement, all_reasons: bool,
    decided_at: datetime,
) -> list[Decision]:  # fmt: skip
    """One decision for each call that is no duplicate, in log order. ``text``: of a key's number."""
    program = heads.program
    listed = listed_pairs(program, judged.batch, all_reasons)
    reasons = reasons_of(heads, judged.batch, listed, text)
    bounds = np.searchsorted(listed, judged.batch.first).tolist()
    head = id_head(tenant, source, program)
    topic, partition, name = source.topic, source.partition, program.name
    calls, records = judged.calls, judged.batch.calls
    columns = zip(
        calls.offsets, calls.indexes, calls.events, records["worst"].tolist(), records["looked"].tolist(),
        records["skipped"].tolist(), _marks(judged), bounds[:-1], bounds[1:], strict=True,
    )  # fmt: skip
    # By position, here and in Heads: struct fields by keyword cost nine times as much.
    return [
        Decision(
            f"{head}-{offset:x}-{index:x}", tenant, event.source, event.id, event.time, decided_at,
            Position(topic, partition, offset, index), VERDICTS[worst], ENGINE_VERSION, _judged(looked, name),
            event.cost_nano_usd, event.check_id, marks, tuple(reasons[begin:end]),
        )
        for offset, index, event, worst, looked, skipped, marks, begin, end in columns
        if not skipped
    ]  # fmt: skip


def id_head(tenant: str, source: Source, program: Program) -> str:
    """What the ids of all decisions of a partition's tenant under one set of stagings begin with."""
    return xxh3_64_hexdigest(f"{tenant} {source.topic_id} {source.partition} {program.name}".encode())


def listed_pairs(program: Program, batch: Batch, all_reasons: bool) -> Int:
    """The pairs to list: what did not approve, and the approving budget nearest its cap; or all that looked."""
    calls, _, first, pairs = batch
    if all_reasons:
        kinds = program.rules.rows["kind"][pairs["rule"]]
        priced = np.repeat(calls["cost"] != UNKNOWN, np.diff(first))
        is_listed = (priced & (pairs["ref"] != UNKNOWN)) | (kinds != BUDGET) | (pairs["verdict"] > 0)
    else:
        is_listed = pairs["verdict"] > 0
        is_listed[calls["nearest"][calls["nearest"] != UNKNOWN]] = True
    places: Int = np.nonzero(is_listed & ~np.repeat(calls["skipped"] == 1, np.diff(first)))[0]
    return places


def reasons_of(heads: "Heads", batch: Batch, listed: Int, text: Callable[[int], str]) -> list[Reason]:
    """The pairs ``listed`` (places in ``batch.pairs``) of a judged batch as reasons; ``text``: of a key's number."""
    calls, keys, first, all_pairs = batch
    pairs = all_pairs[listed]
    rules = heads.program.rules.rows[pairs["rule"]]
    call = np.searchsorted(first, listed, side="right") - 1
    bare = (rules["kind"] != BUDGET) | (pairs["code"] == UNPRICED) | (pairs["ref"] == UNKNOWN)
    cost, used, cap = np.maximum(calls["cost"][call], 0), pairs["used"], rules["cap"]
    key = keys[np.maximum(rules["group"], 0), call] if len(keys) else call
    start, end = window_bounds(rules, pairs)
    row, alerts = pairs["rule"].tolist(), pairs["alerts"].tolist()
    columns = zip(
        bare.tolist(), map(heads.heading, row, pairs["verdict"].tolist(), pairs["code"].tolist()), key.tolist(),
        start.tolist(), end.tolist(), cap.tolist(), used.tolist(), pairs["recorded"].tolist(),
        np.maximum(cap - used, 0).tolist(), np.maximum(used + cost - cap, 0).tolist(), pairs["reset"].tolist(),
        map(heads.crossed, row, alerts), strict=True,
    )  # fmt: skip
    return [
        Reason(*head) if is_bare
        else Reason(
            head[0], head[1], head[2], head[3], head[4], head[5], head[6], text(key), _instant(start), _instant(end),
            cap, used, recorded, left, over, _instant(reset), crossed,
        )
        for is_bare, head, key, start, end, cap, used, recorded, left, over, reset, crossed in columns
    ]  # fmt: skip


def window_bounds(rules: Records, pairs: Records) -> tuple[Int, Int]:
    """Window start and end in ms of the pairs; UNKNOWN for a lifetime and for what is no budget."""
    window, width = pairs["window"], rules["width_ms"]
    is_rolling, is_calendar = rules["window"] == ROLLING, rules["window"] == CALENDAR
    bucket = np.where(is_rolling, window, 0)
    start = np.where(is_rolling, (bucket - BUCKETS + 1) * width, np.where(is_calendar, window, UNKNOWN))
    end = np.where(is_rolling, (bucket + 1) * width, np.where(is_calendar, pairs["window_end"], UNKNOWN))
    return start, end


class Heads:
    """What the reasons of one rule have in common, for all rules of a program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._percents = [
            tuple(sorted(rule.budget.warn_at_percent)) if rule.budget else ()
            for policy in program.policies
            for rule in policy.spec.rules
        ]
        self._heads = [
            (staging.policy, staging.staging, staging.stage, program.rule_in_policy[row], KINDS[kind])
            for row, (kind, policy) in enumerate(
                zip(program.rules.rows["kind"].tolist(), program.rules.rows["policy"].tolist(), strict=True)
            )
            for staging in (program.stagings[policy],)
        ]
        self._headings: dict[tuple[int, int, int], Heading] = {}

    def heading(self, row: int, verdict: int, code: int) -> Heading:
        """What a reason of rule ``row`` begins with."""
        known = self._headings.get((row, verdict, code))
        if known is None:
            known = self._headings[row, verdict, code] = (*self._heads[row], VERDICTS[verdict], CODES[code])
        return known

    def crossed(self, row: int, alerts: int) -> tuple[int, ...]:
        """The warn thresholds of rule ``row``, in percent, whose bits are set in ``alerts``."""
        if not alerts:
            return ()
        return tuple(percent for k, percent in enumerate(self._percents[row]) if alerts >> k & 1)


@lru_cache(maxsize=65536)
def _instant(at_ms: int) -> datetime | None:
    return None if at_ms == UNKNOWN else EPOCH + timedelta(milliseconds=at_ms)


@lru_cache(maxsize=4096)
def _judged(rules: int, name: str) -> Judged:
    return Judged(rules, name)


_MARKS: tuple[tuple[Mark, ...], ...] = tuple(
    tuple(mark for bit, mark in enumerate(("late", "clock_skew", "unpriced")) if mask >> bit & 1)  # type: ignore[misc]
    for mask in range(8)
)


def mark_masks(batch: Batch, skewed: Int) -> Int:
    """The marks of calls as bits: 1 late, 2 clock_skew, 4 unpriced."""
    calls = batch.calls
    masks: Int = calls["late"] + 2 * skewed + 4 * (calls["cost"] == UNKNOWN)
    return masks


def _marks(judged: Judgement) -> list[tuple[Mark, ...]]:
    return [_MARKS[mask] for mask in mark_masks(judged.batch, judged.skewed).tolist()]
