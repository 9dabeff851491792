"""A draft simulated over the last thirty days, for the design page: the API's own job, waited for.

All drafts of a tenant are simulated over one version of the ledger for a while (``ledger_versions``), which the page
says.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from fastapi import Response
from fastapi.concurrency import run_in_threadpool

from gateway_shadow.auth import Caller
from gateway_shadow.documents import instant
from gateway_shadow.pages.design_view import caps_around
from gateway_shadow.pages.ledger_versions import Read
from gateway_shadow.pages.simulation_view import SimulationView, simulation_view
from gateway_shadow.parts import Parts
from gateway_shadow.problems import Problem
from gateway_shadow.simulations.manage_simulations import DraftSimulation, get_report, simulate_draft
from gateway_shadow.simulations.options import SimulationOptions
from policy_store.errors import StoreError
from spendgate.model.policy import Policy

DAYS, WAIT_S = 30, 20


class Drafted(NamedTuple):
    """``view``: None where ``problem`` says why. ``read_at``: when the ledger was what the view is of."""

    view: SimulationView | None
    problem: str | None
    since: datetime | None = None
    rule: int | None = None
    read_at: datetime | None = None


async def drafted(parts: Parts, caller: Caller, text: str, policy: Policy, *, suggests: bool = False) -> Drafted:
    """What a text that holds ``policy`` would have done."""
    swept, since = caps_around(policy), _midnight(parts) - timedelta(days=DAYS)
    place = None if swept is None else f"{policy.metadata.name}/{swept[0]}"
    said: dict[str, Any] = {"from": since, "sweep": None if swept is None else f"{place}.cap={','.join(swept[1])}"}
    read = parts.drafted.of(caller.tenant)
    said |= {"suggest": place if suggests else None, "ledger_version": None if read is None else read.version}
    options = SimulationOptions.model_validate(said)
    try:
        job = await simulate_draft(DraftSimulation(policy=text, options=options), Response(), caller, parts, WAIT_S)
        if job.state != "done":
            parts.drafted.forget(caller.tenant)
            return Drafted(None, job.problem or f"the simulation is {job.state}; it is waited for no longer", since)
        if read is None and job.ledger_version is not None:
            read = Read(job.ledger_version, job.started_at)
            parts.drafted.keep(caller.tenant, read)
        report = await run_in_threadpool(get_report, job.id, caller, parts)
    except Problem as error:
        return Drafted(None, "; ".join(each.expected for each in error.errors) or error.detail, since)
    except StoreError as error:
        return Drafted(None, str(error), since)
    budget = None if swept is None else policy.spec.rules[swept[0]].budget
    view = simulation_view(msgspec.json.decode(report.body), None if budget is None else budget.cap_nano_usd)
    return Drafted(view, None, since, None if swept is None else swept[0], None if read is None else read.at)


def _midnight(parts: Parts) -> datetime:
    now = instant(parts.changes.now_ms())
    assert now is not None, "it is a time"
    return now.replace(hour=0, minute=0, second=0, microsecond=0)
