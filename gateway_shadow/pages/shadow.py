"""Decisions as they happen, and each call's whole story."""

from contextlib import suppress
from typing import Annotated, Any

import msgspec
from fastapi import Query, Request, Response
from starlette.background import BackgroundTask

from gateway_shadow.auth import Caller, Reader
from gateway_shadow.documents import Name
from gateway_shadow.ledger.filters import Chosen
from gateway_shadow.ledger.read_ledger import list_decisions, reading
from gateway_shadow.pages import shadow_view
from gateway_shadow.pages.addresses import with_query
from gateway_shadow.pages.rendering import show
from gateway_shadow.pages.route import pages_router
from gateway_shadow.pages.sections import section
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import Problem
from gateway_shadow.stories.tell_story import tell_story
from spendgate.ledger.ledger_errors import LedgerError
from spendgate.model.decision import CODES, VERDICTS, Code, Verdict

router = pages_router()
A_PAGE = 50
Typed = Annotated[str, Query(max_length=200)]


@router.get("/shadow")
def show_shadow(
    request: Request, caller: Reader, parts: Shared, verdict: Typed = "", policy: Typed = "", code: Typed = "",
    source: Typed = "", event_id: Typed = "", cursor: Typed = "",
) -> Response:  # fmt: skip
    """The latest decisions; a script adds what comes."""
    said = {"verdict": verdict, "policy": policy, "code": code, "source": source, "event_id": event_id}
    chosen = {name: value.strip() for name, value in said.items() if value.strip()}
    found = section(parts.outages, "ledger", lambda: _decisions(parts, caller, chosen, cursor.strip() or None))
    rows = [shadow_view.row(each) for each in (found.value or {"items": []})["items"]]
    following = found.value["next"] if found.value else None
    answer = show(
        request, parts, caller, "shadow.html", found=found, rows=rows, chosen=chosen, verdicts=VERDICTS, codes=CODES,
        is_first=not cursor, older=with_query("/shadow", **chosen, cursor=following) if following else None,
    )  # fmt: skip
    if rows and not parts.calls.is_prepared(caller.tenant):
        answer.background = BackgroundTask(_prepare, parts, caller)  # for the story that is opened next
    return answer


def _prepare(parts: Parts, caller: Caller) -> None:
    with suppress(Problem, LedgerError), reading(parts, "events") as ledger:
        parts.calls.prepare(ledger, caller.tenant)


@router.get("/shadow/story")
def show_story(
    request: Request, caller: Reader, parts: Shared, source: Annotated[Name, Query()],
    id_: Annotated[Name, Query(alias="id")],
) -> Response:  # fmt: skip
    """One call, from what came in to what became of it."""
    story = tell_story(caller, parts, id_, source).model_dump(mode="json")
    return show(
        request, parts, caller, "story.html", story=story, owners=shadow_view.owners(story),
        details=shadow_view.details(story["event"]), policies=shadow_view.by_policy(story["decision"]),
        near=shadow_view.dots(story), link=lambda source, id_: with_query("/shadow/story", source=source, id=id_),
    )  # fmt: skip


def _decisions(parts: Parts, caller: Caller, chosen: dict[str, str], cursor: str | None) -> Any:
    answer = list_decisions(caller, parts, _chosen(chosen), cursor, A_PAGE, "desc")
    return msgspec.json.decode(answer.body)


def _chosen(said: dict[str, str]) -> Chosen:
    """As the API takes it. Raises Problem for what is no verdict or code."""
    try:
        msgspec.convert(said.get("verdict", "approve"), Verdict)
        msgspec.convert(said.get("code", "near_cap"), Code)
    except msgspec.ValidationError:
        raise Problem(422, "bad_field", "verdict, code: expected one of those in the lists") from None
    return Chosen(said, None, None)
