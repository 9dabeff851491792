"""The overview: what is spent, what would have been denied, what is near its cap, who waits, and how the stream is."""

from functools import partial

from fastapi import Request, Response

from gateway_shadow import manage_stagings
from gateway_shadow.auth import Caller, Reader
from gateway_shadow.documents import StagingDocument, instant
from gateway_shadow.ledger.read_ledger import reading
from gateway_shadow.outages import Outage
from gateway_shadow.pages.health_view import Health, health
from gateway_shadow.pages.overview_view import OverviewView, overview
from gateway_shadow.pages.rendering import show
from gateway_shadow.pages.route import pages_router
from gateway_shadow.pages.sections import Section, section
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.reviews import manage_reviews

router = pages_router()
MOST_WAITING = 100


@router.get("/")
def show_overview(request: Request, caller: Reader, parts: Shared) -> Response:
    """The first page."""
    stream = section(parts.outages, "ledger", lambda: _stream(parts, caller))
    stagings = section(parts.outages, "policies", lambda: manage_stagings.list_stagings(caller, parts))
    spend = _none(stream.outage or stagings.outage)
    if stream.outage is None and (staged := stagings.value) is not None:
        spend = section(parts.outages, "ledger", lambda: _spend(parts, caller, staged))
    waiting = section(
        parts.outages, "policies",
        lambda: manage_reviews.list_reviews(caller, parts, state="open", limit=MOST_WAITING).reviews,
    )  # fmt: skip
    is_counting = spend.value is None and spend.problem is None and spend.outage is None
    answer = show(
        request, parts, caller, "overview.html", spend=spend, waiting=waiting, stagings=stagings, stream=stream,
        is_counting=is_counting, most_waiting=MOST_WAITING,
    )  # fmt: skip
    if is_counting:
        answer.headers["Refresh"] = "1"
    return answer


def _none(outage: Outage | None) -> Section[OverviewView | None]:
    """A sum of some seconds ago is none of now."""
    return Section(None, outage)


def _spend(parts: Parts, caller: Caller, stagings: list[StagingDocument]) -> OverviewView | None:
    tally = parts.tallies.of(caller.tenant, partial(reading, parts, "decisions"))
    now = instant(parts.changes.now_ms())
    assert now is not None, "it is a time"
    return None if tally is None else overview(tally, stagings, now)


def _stream(parts: Parts, caller: Caller) -> Health:
    with reading(parts, "events", "decisions", "rejections") as ledger:
        return health(ledger, caller.tenant)
