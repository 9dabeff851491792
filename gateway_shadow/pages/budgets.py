"""The tree of budgets."""

from typing import Annotated

from fastapi import Query, Request, Response

from gateway_shadow.auth import Caller, Reader
from gateway_shadow.belonging import Belonging
from gateway_shadow.budgets.documents import Mark
from gateway_shadow.budgets.read_budgets import list_budgets
from gateway_shadow.ledger.read_ledger import reading
from gateway_shadow.pages.budgets_view import tree, without_words
from gateway_shadow.pages.rendering import show
from gateway_shadow.pages.route import pages_router
from gateway_shadow.pages.sections import Section, section
from gateway_shadow.parts import Parts, Shared

router = pages_router()
NEAR: dict[str, Mark] = {"approaching or over": "approaching", "over": "over"}
Said = Annotated[str, Query(max_length=2_000)]


@router.get("/budgets")
def show_budgets(
    request: Request, caller: Reader, parts: Shared, policy: Said = "", near: Said = "", under: Said = ""
) -> Response:
    """All budgets in force, by what they count."""
    found = section(parts.outages, "redis", lambda: list_budgets(caller, parts, policy.strip() or None))
    seen = section(parts.outages, "ledger", lambda: _belonging(parts, caller)) if found.value else Section({})
    view = None
    if found.value is not None:
        view = tree(found.value.budgets, seen.value or {}, under, NEAR.get(near, "within"))
    is_counting = seen == Section(None)
    answer = show(
        request, parts, caller, "budgets.html", found=found, seen=seen, view=view, is_counting=is_counting,
        said={"policy": policy, "near": near, "under": under}, nears=list(NEAR), without=without_words,
    )  # fmt: skip
    if is_counting:
        answer.headers["Refresh"] = "1"
    return answer


def _belonging(parts: Parts, caller: Caller) -> Belonging | None:
    if parts.config.ledger is None:
        return {}
    return parts.belongings.of(caller.tenant, lambda: reading(parts, "events"))
