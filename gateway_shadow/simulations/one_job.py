"""One job of a process that simulates: what the door has asked, done, and told."""

import logging
import traceback
from pathlib import Path
from typing import Any

from gateway_shadow.simulations.found import found_of
from gateway_shadow.simulations.memory import Memory
from gateway_shadow.simulations.options import SimulationOptions, job_of
from gateway_shadow.simulations.teller import Teller
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.ledger_errors import LedgerError
from spendgate.ledger.reader_problem import InputError
from spendgate.model.canonical import from_canonical
from spendgate.prices.loading import load_book
from spendgate.simulate.job import Job, run_job
from spendgate.simulate.report import encode

log = logging.getLogger(__name__)

NAME = "ledger"
"""What a report calls the door's ledger, whose place is nobody's business over HTTP."""


def simulate(asked: dict[str, Any], teller: Teller, memory: Memory) -> tuple[dict[str, Any], bytes, int]:
    """Do a job; what its report says of itself (a Found, by names), the report, and how many rows.

    Raises LedgerError, InputError.
    """
    options = SimulationOptions.model_validate_json(asked["options"])
    policy = from_canonical(asked["document"].encode())
    wanted = asked["ledger_version"] if options.ledger_version is None else options.ledger_version
    book, is_draft = asked["price_book"], asked["version"] is None

    def job_at(version: int | None) -> Job:
        made: Job = job_of(
            options, policy, tenant=asked["tenant"], ledger=asked["ledger"], version=version,
            command=options.command(policy.metadata.name, asked["version"], version),
            against=None if asked["against"] is None else from_canonical(asked["against"].encode()),
            book=lambda: load_book(None if book is None else Path(book)),
        )  # fmt: skip
        return made

    job = job_at(wanted)
    history = memory.of(job) if is_draft else None
    if history is None:
        ledger = Ledger.open(asked["ledger"], version=wanted)
        job, is_part = job_at(ledger.version), bool(options.from_ or options.to or options.where)
        rows = ledger.rows("events", asked["tenant"])
        teller.say(begun=ledger.version, rows=None if is_part else rows)
        history = memory.keep(job, rows) if is_draft else None
    else:
        teller.say(begun=wanted, rows=None)
    report = run_job(job, teller.tell, history=history)
    report["source"]["name"] = NAME
    return found_of(report, policy)._asdict(), encode(report).encode(), report["source"]["rows"]


def answer(asked: dict[str, Any], teller: Teller, memory: Memory) -> None:
    """Do a job, and tell how it ended. A fault of ours is told without its words, which may quote what was read."""
    try:
        found, report, rows = simulate(asked, teller, memory)
    except (LedgerError, InputError) as error:
        teller.say(problem=str(error).replace(asked["ledger"], NAME))
    except Exception as error:  # noqa: BLE001 - the job ends with it, not the process
        place = "".join(traceback.format_tb(error.__traceback__))
        log.error("simulation %s: %s\n%s", asked["id"], type(error).__name__, place)
        teller.say(problem=f"a fault of ours ({type(error).__name__}); the log has it under the job's id")
    else:
        teller.say(report, done=found, rows=rows, bytes=len(report))
