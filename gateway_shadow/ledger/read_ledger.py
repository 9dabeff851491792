"""Decisions and events to read from the ledger, page by page."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from gateway_shadow.auth import Caller, Reader
from gateway_shadow.ledger.filters import Chosen, DecisionsChosen, EventsChosen
from gateway_shadow.ledger.pages import CursorError, Page, decode_cursor, encode_cursor, page
from gateway_shadow.openapi import problems
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import FieldProblem, Problem
from spendgate.ledger.decision_rows import decisions_of
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_selection import Selection
from spendgate.ledger.delta_tables import TableName
from spendgate.ledger.event_documents import documents_of
from spendgate.ledger.export_formats import Exported
from spendgate.ledger.ledger_errors import LedgerError, LedgerMissing

router = APIRouter(tags=["ledger"])

AT_A_TIME = 2
"""Reads of the ledger at a time, so that they leave a processor to checks."""
_room = BoundedSemaphore(AT_A_TIME)
_encode = msgspec.json.Encoder().encode

Cursor = Annotated[str | None, Query(max_length=300, description="`next` of the page before, of the same order.")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Order = Annotated[Literal["asc", "desc"], Query(description="In the order of the log, or the newest first.")]


class Rows(BaseModel):
    """A page. ``next``: where the next page begins; null at the end. A page may hold fewer rows than asked for, or
    none, and still have a next one."""

    items: list[dict[str, Any]]
    next: str | None


@router.get("/v1/decisions", response_model=Rows, responses=problems(409, 422))
def list_decisions(
    caller: Reader, parts: Shared, chosen: DecisionsChosen, cursor: Cursor = None, limit: Limit = 100,
    order: Order = "asc",
) -> Response:  # fmt: skip
    """Decisions as they stand in the ledger. `policy`, `staging` and `code` are of one and the same reason."""
    found = _page(parts, _selection("decisions", caller, chosen, cursor, order), limit)
    return _rows([each for batch in found.batches for each in decisions_of(batch)], found)


@router.get("/v1/ledger", response_model=Rows, responses=problems(409, 422))
def list_events(
    caller: Reader, parts: Shared, chosen: EventsChosen, cursor: Cursor = None, limit: Limit = 100,
    order: Order = "asc",
) -> Response:  # fmt: skip
    """Events as they were recorded, annotations too; a repeat is marked as one."""
    found = _page(parts, _selection("events", caller, chosen, cursor, order), limit)
    return _rows([each for batch in found.batches for each in documents_of(batch)], found)


def _selection(table: Exported, caller: Caller, chosen: Chosen, cursor: str | None, order: str) -> Selection:
    """Raises Problem for what is no cursor."""
    try:
        after = decode_cursor(cursor)
    except CursorError:
        expected = FieldProblem(field="cursor", expected="`next` of the page before")
        raise Problem(422, "bad_field", "see errors", [expected]) from None
    return Selection(table, caller.tenant, chosen.of(table), after, order == "desc")


def _page(parts: Parts, wanted: Selection, most: int) -> Page:
    with reading(parts, wanted.table) as ledger:
        return page(ledger, wanted, most)


def _rows(items: list[Any], found: Page) -> Response:
    """Encoded here: pydantic takes ten times as long for the same bytes."""
    return Response(_encode({"items": items, "next": encode_cursor(found.next)}), media_type="application/json")


@contextmanager
def reading(parts: Parts, *tables: TableName) -> Iterator[Ledger]:
    """The ledger as it is now, to read these tables. Raises Problem: 409 without one, 503 while it is away or too many
    read."""
    if parts.config.ledger is None:
        raise Problem(409, "no_ledger", "there is no ledger to read: expected SPENDGATE_LEDGER")
    if not _room.acquire(timeout=5):
        raise Problem(503, "busy", "others read the ledger", headers={"Retry-After": "2"})
    try:
        yield Ledger.open(parts.config.ledger, only=tables)
    except LedgerMissing as error:
        raise Problem(409, "no_ledger", str(error)) from None
    except LedgerError:
        raise Problem(503, "ledger_away", "the ledger does not answer", headers={"Retry-After": "5"}) from None
    finally:
        _room.release()
