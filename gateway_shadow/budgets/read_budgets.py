"""The budgets in force, as Redis's counters stand: what is used of each cap, and what is left."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

from anyio import from_thread
from fastapi import APIRouter, Query

from gateway_shadow.auth import Reader
from gateway_shadow.budgets.documents import BudgetDocument, BudgetsDocument, counter_of
from gateway_shadow.checks.checking import Checker
from gateway_shadow.documents import Name, instant
from gateway_shadow.openapi import problems
from gateway_shadow.parts import Shared
from gateway_shadow.problems import Problem
from spendgate.engine.compile import Program, compile_program
from spendgate.engine.counter_keys import SHARED
from spendgate.engine.counters import Counters
from spendgate.engine.names import SlotNames
from spendgate.engine.staging import Staging, TenantDocument
from spendgate.engine.standing import Standing, standing_at
from spendgate.model.policy import Policy
from window_counters.documents import NotOfTheMark, document_names, document_of
from window_counters.levels import Found, Levels
from window_counters.protocol import WITHHELD, Mark, Read, StoreUnavailable, StoreUnfit

router = APIRouter(tags=["policies"])

WITHIN_S = 5.0
_AWAY = {"Retry-After": "5"}


@router.get("/v1/budgets", responses=problems(409, 422))
def list_budgets(caller: Reader, parts: Shared, policy: Annotated[Name | None, Query()] = None) -> BudgetsDocument:
    """Every budget that judges the tenant's calls, or those of one policy, with what is used of it in the window of
    this moment. Counters know what their worker has applied: `offset` and `latest_received_at` say how far that is."""
    if parts.checker is None or parts.levels is None:
        raise Problem(409, "no_redis", "there are no counters to read: expected SPENDGATE_REDIS")
    try:
        now_ms = parts.changes.now_ms()
        read = from_thread.run(_read, caller.tenant, parts.checker, parts.levels, policy, now_ms)
    except (StoreUnavailable, StoreUnfit, OSError):
        raise Problem(503, "redis_away", "Redis does not answer, so no counter can be read", headers=_AWAY) from None
    except (NotOfTheMark, LookupError):
        words = "the counters are being built anew from the log; ask again in a moment"
        raise Problem(503, "rebuilding", words, headers=_AWAY) from None
    return BudgetsDocument(
        at=datetime.fromtimestamp(now_ms / 1000, UTC),
        latest_received_at=instant(read.document.watermark_ms) if read.document.calls else None,
        partition=read.partition,
        offset=None if read.mark is None else read.mark.offset,
        budgets=[_told(read.program, *each) for each in zip(read.standing, read.found, strict=True)],
    )


class _Read(NamedTuple):
    """What Redis said; ``found``: of each of ``standing``."""

    partition: int
    mark: Mark | None
    document: TenantDocument
    program: Program
    standing: list[Standing]
    found: list[Found]


async def _read(tenant: str, checker: Checker, levels: Levels, policy: str | None, now_ms: int) -> _Read:
    """What takes long is done elsewhere: checks are answered on this loop, too.

    Raises StoreUnavailable, StoreUnfit, TimeoutError, NotOfTheMark, and LookupError for an unknown policy.
    """
    partition = checker.partition(tenant)
    async with asyncio.timeout(WITHIN_S):
        snapshot = await checker.store.read(partition, Read(tenants=document_names([tenant])))
        if snapshot.mark == WITHHELD:
            raise NotOfTheMark("the counters of a partition are being taken away")
        document = document_of(snapshot, tenant)
        stagings = [each for each in document.stagings if policy in (None, each.policy)]
        policies = await checker.policies(tenant, [each.hash for each in stagings])
        program, standing = await asyncio.to_thread(_planned, tenant, stagings, policies, now_ms)
        found = await levels.of(partition, [each.window for each in standing])
    return _Read(partition.partition, snapshot.mark, document, program, standing, found)


def _planned(
    tenant: str, stagings: list[Staging], policies: Mapping[str, Policy], now_ms: int
) -> tuple[Program, list[Standing]]:
    counters = Counters()
    program = compile_program(stagings, policies, counters)
    return program, list(standing_at(program, SlotNames(tenant, program, counters), now_ms))


def _told(program: Program, standing: Standing, found: Found) -> BudgetDocument:
    staging, policy = program.stagings[standing.staging], program.policies[standing.staging]
    budget = policy.spec.rules[standing.rule].budget
    if budget is None:
        raise ValueError("only a budget has a window")
    sums = found.levels if budget.per or found.levels else {SHARED: (0, 0)}
    counters = [counter_of(budget, key, *sums[key]) for key in sorted(sums)] if not found.too_many else []
    end = instant(standing.end_ms)
    return BudgetDocument(
        policy=staging.policy, staging=staging.staging, stage=staging.stage, rule=standing.rule,
        scope=policy.spec.scope.model_dump(exclude_none=True), per=list(budget.per), cap_nano_usd=budget.cap_nano_usd,
        on_breach=budget.on_breach, window=budget.window.model_dump(exclude_none=True),
        window_start=instant(standing.start_ms), window_end=end,
        resets_at=end if "calendar" in budget.window.model_fields_set else None,
        counters=counters, not_listed=found.too_many,
    )  # fmt: skip
