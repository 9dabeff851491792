"""The process that simulates: ``python -m gateway_shadow.simulations.process``, a child of the door.

Below the door's priority, so that a simulation of millions delays no request and no check; one job after another, so
that the next need not wait for the start, and a draft finds in memory what the last one has read. Jobs come as lines
of JSON on stdin; on stdout go lines of JSON: ``begun``, ``rows``, and at last ``done`` (so many ``bytes`` of report
follow) or ``problem``. It ends with stdin: with its door.
"""

import json
import logging
import os
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, BinaryIO

from gateway_shadow.simulations.memory import Memory

log = logging.getLogger("gateway_shadow.simulations.process")

NICE = 10
EVERY_S = 0.1
IDLE_S = 600
"""Nobody has written a policy for so long: what is kept for drafts is let go."""
NAME = "ledger"
"""What a report calls the door's ledger, whose place is nobody's business over HTTP."""


@dataclass
class Teller:
    """Writes to the door. ``tell`` is for how far it has come, now and then."""

    out: BinaryIO
    last_s: float = 0.0

    def say(self, body: bytes = b"", **fields: Any) -> None:
        """One line, and the bytes that it announces."""
        self.out.write(json.dumps(fields).encode() + b"\n" + body)
        self.out.flush()

    def tell(self, rows: int) -> None:
        """So many rows are passed."""
        now_s = time.monotonic()
        if now_s - self.last_s >= EVERY_S:
            self.last_s = now_s
            self.say(rows=rows)


def simulate(asked: dict[str, Any], teller: Teller, memory: Memory) -> tuple[dict[str, Any], bytes, int]:
    """Do a job; what its report says of itself (a Found, by names), the report, and how many rows.

    Raises LedgerError, InputError.
    """
    from gateway_shadow.simulations.found import found_of
    from gateway_shadow.simulations.options import SimulationOptions, job_of
    from spendgate.cli.prices import load_book
    from spendgate.ledger.delta_reader import Ledger
    from spendgate.model.canonical import from_canonical
    from spendgate.simulate.job import Job, run_job
    from spendgate.simulate.report import encode

    options, policy = (
        SimulationOptions.model_validate_json(asked["options"]),
        from_canonical(asked["document"].encode()),
    )
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
    from spendgate.ledger.ledger_errors import LedgerError
    from spendgate.ledger.reader_problem import InputError

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


def _read(jobs: SimpleQueue[bytes]) -> None:
    """Hand jobs on; without the door there is nobody to simulate for, in the middle of one too."""
    for line in sys.stdin.buffer:
        jobs.put(line)
    os._exit(0)


def main() -> None:
    """Serve one door."""
    os.nice(NICE)
    teller = Teller(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)  # whatever prints does not do so in the middle of an answer
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    jobs: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_read, args=(jobs,), daemon=True).start()
    memory = Memory()
    while True:
        try:
            asked = jobs.get(timeout=IDLE_S)
        except Empty:
            memory.forget()
        else:
            answer(json.loads(asked), teller, memory)


if __name__ == "__main__":
    main()
