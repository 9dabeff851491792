"""What the gate asks for, for the whole tenant; operators change it, within its limits."""

from fastapi import Request, Response

from gateway_shadow.auth import Caller, Operator, Reader
from gateway_shadow.gates import manage_gates
from gateway_shadow.gates.documents import NewRules
from gateway_shadow.pages import criteria_view
from gateway_shadow.pages.forms import acted, read_as, revision_of
from gateway_shadow.pages.rendering import show
from gateway_shadow.pages.route import Form, pages_router
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import Problem

router = pages_router()


@router.get("/gate/criteria")
def show_criteria(request: Request, caller: Reader, parts: Shared) -> Response:
    """Each threshold with its limits, and the default."""
    return _page(request, parts, caller)


@router.post("/gate/criteria")
def change(request: Request, form: Form, caller: Operator, parts: Shared) -> Response:
    """Other thresholds."""

    def act() -> str:
        wanted = read_as(NewRules, rules=criteria_view.rules_of(form), why=form.get("why", "").strip())
        manage_gates.set_criteria(wanted, Response(), caller, parts, revision_of(form))
        return "/gate/criteria?done=criteria"

    return acted(act, lambda problem: _page(request, parts, caller, problem, form))


def _page(
    request: Request, parts: Parts, caller: Caller, problem: Problem | None = None,
    typed: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    found = manage_gates.get_criteria(Response(), caller, parts)
    return show(
        request, parts, caller, "criteria.html", found=found, lines=criteria_view.lines(found.rules, typed),
        why=(typed or {}).get("why", ""), problem=criteria_view.worded(problem),
    )  # fmt: skip
