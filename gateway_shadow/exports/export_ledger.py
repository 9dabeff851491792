"""The ledger as a file: the same rows as its pages, at one version of it."""

from contextlib import AsyncExitStack
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Query, Request

from gateway_shadow.auth import Caller, Reader
from gateway_shadow.exports.child import BrokenOff, ExportChild
from gateway_shadow.exports.file_stream import FileStream
from gateway_shadow.ledger.filters import Chosen, DecisionsChosen, EventsChosen
from gateway_shadow.openapi import problems
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import Problem
from spendgate.ledger.export_formats import ENDINGS, MEDIA_TYPES, Exported, Format, Grain

router = APIRouter(tags=["ledger"])

VERSION, UNPRICED = "X-Spendgate-Ledger-Version", "X-Spendgate-Unpriced-Calls"
_Version = Annotated[
    int | None, Query(ge=0, le=2**53, description=f"Of the table, as {VERSION} said; by default the newest.")
]
_HEADERS = {
    VERSION: {"description": "The version of the table that was read.", "schema": {"type": "integer"}},
    UNPRICED: {
        "description": "Of a FOCUS export: calls that are left out, for they have no cost.",
        "schema": {"type": "integer"},
    },
}


def _answers(*formats: Format) -> dict[int | str, dict[str, Any]]:
    binary = {"schema": {"type": "string", "format": "binary"}}
    content = {MEDIA_TYPES[each]: binary for each in formats}
    return {200: {"description": "The file.", "content": content, "headers": _HEADERS}, **problems(409, 422)}


@router.get("/v1/decisions/export", response_class=FileStream, status_code=200,
            responses=_answers("parquet", "csv", "jsonl"))  # fmt: skip
async def export_decisions(
    request: Request, caller: Reader, parts: Shared, chosen: DecisionsChosen,
    format_: Annotated[Literal["parquet", "csv", "jsonl"], Query(alias="format")] = "parquet", version: _Version = None,
) -> FileStream:  # fmt: skip
    """Decisions as a file, in the order of the log; any number of rows."""
    asked = _asked("decisions", format_, chosen, version)
    return await _exported(request, caller, parts, asked)


@router.get("/v1/ledger/export", response_class=FileStream, status_code=200,
            responses=_answers("parquet", "csv", "jsonl", "focus", "focus-parquet"))  # fmt: skip
async def export_events(
    request: Request, caller: Reader, parts: Shared, chosen: EventsChosen,
    format_: Annotated[
        Format, Query(alias="format", description="`focus` is a FOCUS 1.4 cost export as CSV, else as Parquet.")
    ] = "parquet",
    rows: Annotated[Grain, Query(description="What a row of a FOCUS export stands for.")] = "day",
    imported: Annotated[bool, Query(description="With events that were imported, which no page has.")] = False,
    version: _Version = None,
) -> FileStream:  # fmt: skip
    """Events as a file, in the order of the log; or what they cost, by the latest corrections."""
    asked = {**_asked("events", format_, chosen, version), "rows": rows, "imported": imported}
    return await _exported(request, caller, parts, asked)


def _asked(table: Exported, format_: Format, chosen: Chosen, version: int | None) -> dict[str, Any]:
    times = {name: None if at is None else at.isoformat() for name, at in (("from", chosen.from_), ("to", chosen.to))}
    return {
        "table": table, "format": format_, "where": chosen.said, **times, "version": version, "rows": "day",
        "imported": False,
    }  # fmt: skip


async def _exported(request: Request, caller: Caller, parts: Parts, asked: dict[str, Any]) -> FileStream:
    """Raises Problem: 409 without a ledger or the version, 503 while it is away or others export."""
    if parts.config.ledger is None:
        raise Problem(409, "no_ledger", "there is no ledger to read: expected SPENDGATE_LEDGER")
    request.state.limit.reschedule(None)  # it takes as long as it is long; see FileStream for what bounds it
    exits = AsyncExitStack()
    try:
        await exits.enter_async_context(parts.exports.of(caller.tenant))
        child = await ExportChild.start({**asked, "ledger": parts.config.ledger, "tenant": caller.tenant})
        exits.push_async_callback(child.kill)
        head = await _head(child)
    except BaseException:
        await exits.aclose()
        raise
    return FileStream(
        child.parts(), MEDIA_TYPES[cast("Format", asked["format"])], _headers(asked, head),
        lambda: parts.looks.is_good(caller), exits.aclose,
    )  # fmt: skip


async def _head(child: ExportChild) -> dict[str, Any]:
    try:
        head = await child.head()
    except BrokenOff:
        raise Problem(503, "fault", "the export has failed; the log has it", headers={"Retry-After": "5"}) from None
    match head.get("problem"):
        case "missing":
            raise Problem(409, "no_ledger", "there is no ledger, or no such version of it: older ones are let go of")
        case "away":
            raise Problem(503, "ledger_away", "the ledger does not answer", headers={"Retry-After": "5"})
    return head


def _headers(asked: dict[str, Any], head: dict[str, Any]) -> dict[str, str]:
    name = "ledger" if asked["table"] == "events" else asked["table"]
    kind = "-focus" if asked["format"].startswith("focus") else ""
    file = f"{name}{kind}-v{head['version']}{ENDINGS[cast('Format', asked['format'])]}"
    found = {"Content-Disposition": f'attachment; filename="{file}"', "Cache-Control": "no-store"}
    told = {VERSION: head["version"], UNPRICED: head["unpriced"]}
    return found | {header: str(value) for header, value in told.items() if value is not None}
