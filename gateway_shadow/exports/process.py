"""The process that exports: ``python -m gateway_shadow.exports.process``, a child of the door.

One process an export, below the door's priority, so that rows by the million delay no check and their memory goes with
it. What is asked comes as a line of JSON on stdin; on stdout goes a line of JSON, ``version`` and ``unpriced`` or a
``problem``, and then the file. Exit code 0 means that all of it was written; it ends with stdin, too: with its door.
"""

import json
import logging
import os
import sys
import threading
import traceback
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO

log = logging.getLogger("gateway_shadow.exports.process")

NICE = 10
WHOLE, FAILED = 0, 1
_BUFFER_BYTES = 2**18


if TYPE_CHECKING:
    from collections.abc import Mapping

    from spendgate.ledger.delta_tables import TableName


def export(asked: dict[str, Any], out: BinaryIO) -> None:
    """Do it. Raises LedgerError before the first line is written; whatever comes later leaves a part."""
    from spendgate.ledger.delta_reader import Ledger
    from spendgate.ledger.export import Asked, Export
    from spendgate.ledger.export_formats import EXPORTED
    from spendgate.ledger.row_filter import wanted_of

    from_, to = (None if asked[name] is None else datetime.fromisoformat(asked[name]) for name in ("from", "to"))
    table = next(name for name in EXPORTED if name == asked["table"])
    versions: Mapping[TableName, int] = {} if asked["version"] is None else {table: asked["version"]}
    ledger = Ledger.open(asked["ledger"], version=versions, only=[table])
    wanted = wanted_of(table, asked["where"], from_, to)
    found = Export(ledger, [asked["tenant"]], Asked(asked["table"], asked["format"], wanted, asked["imported"],
                                                    asked["rows"]))  # fmt: skip
    out.write(json.dumps({"version": found.version, "unpriced": found.unpriced}).encode() + b"\n")
    out.flush()
    found.write(out)
    out.flush()


def answer(asked: dict[str, Any], out: BinaryIO) -> int:
    """Export, and tell how it ended, by the exit code. Nothing of a fault's words is told: they may quote a row."""
    from spendgate.ledger.ledger_errors import LedgerError, LedgerMissing

    try:
        export(asked, out)
    except BrokenPipeError:  # the door wants no more of it
        return FAILED
    except LedgerError as error:
        log.warning("export: %s", type(error).__name__)
        out.write(json.dumps({"problem": "missing" if isinstance(error, LedgerMissing) else "away"}).encode() + b"\n")
        out.flush()
        return FAILED
    except Exception as error:  # noqa: BLE001 - the door is told by the exit code
        log.error("export: %s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
        return FAILED
    return WHOLE


def _end_with_the_door() -> None:
    sys.stdin.buffer.read()
    os._exit(FAILED)


def main() -> None:
    """Serve one export."""
    os.nice(NICE)
    out = os.fdopen(os.dup(1), "wb", buffering=_BUFFER_BYTES)
    os.dup2(2, 1)  # whatever prints does not do so in the middle of a file
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asked = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_the_door, daemon=True).start()
    code = answer(asked, out)
    # Not by way of the interpreter's end, which would wait for Arrow's threads, and flush what a closed pipe refuses.
    os._exit(code)


if __name__ == "__main__":
    main()
