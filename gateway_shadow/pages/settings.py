"""The tenant's settings; operators change them."""

from fastapi import Request, Response

from gateway_shadow import manage_people
from gateway_shadow.auth import Caller, Operator, Reader
from gateway_shadow.documents import NewSettings
from gateway_shadow.pages.forms import acted, or_none, read_as, revision_of, whole
from gateway_shadow.pages.rendering import show
from gateway_shadow.pages.route import Form, pages_router
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import Problem

router = pages_router()
WHOLE = ("grace_hours", "dedupe_hours", "skew_minutes")


@router.get("/settings")
def show_settings(request: Request, caller: Reader, parts: Shared) -> Response:
    """What workers judge by."""
    return _page(request, parts, caller)


@router.post("/settings")
def change(request: Request, form: Form, caller: Operator, parts: Shared) -> Response:
    """Other settings."""

    def act() -> str:
        said = {name: whole(form.get(name, "")) for name in WHOLE}
        wanted = read_as(
            NewSettings, one_person=form.get("one_person") == "yes", why=or_none(form.get("why")),
            settings={**said, "reasons": form.get("reasons", "")},
        )  # fmt: skip
        manage_people.set_settings(wanted, Response(), caller, parts, revision_of(form))
        return "/settings?done=saved"

    return acted(act, lambda problem: _page(request, parts, caller, problem, form))


def _page(
    request: Request, parts: Parts, caller: Caller, problem: Problem | None = None,
    typed: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    found = manage_people.get_settings(Response(), caller, parts)
    said = {name: str(value) for name, value in found.settings.model_dump().items()}
    said["one_person"] = "yes" if found.one_person else ""
    return show(
        request, parts, caller, "settings.html", found=found, problem=problem,
        said=said if typed is None else {**dict.fromkeys(said, ""), **typed},
    )  # fmt: skip
