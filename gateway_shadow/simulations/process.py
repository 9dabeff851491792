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
from queue import Empty, SimpleQueue

from gateway_shadow.simulations.teller import Teller

NICE = 10
IDLE_S = 600
"""Nobody has written a policy for so long: what is kept for drafts is let go."""


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
    # What takes most of a second is below the door's priority, too, and done before the first job comes.
    from gateway_shadow.simulations.memory import Memory
    from gateway_shadow.simulations.one_job import answer

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
