"""The tenant's privacy: modes, keys by name, gateways."""

from fastapi import Request, Response

from gateway_shadow import manage_privacy
from gateway_shadow.auth import Reader
from gateway_shadow.pages.rendering import show
from gateway_shadow.pages.route import pages_router
from gateway_shadow.parts import Shared

router = pages_router()


@router.get("/privacy")
def show_privacy(request: Request, caller: Reader, parts: Shared) -> Response:
    """What is kept of calls, and what opens it; never a secret."""
    return show(
        request, parts, caller, "privacy.html", found=manage_privacy.get_privacy(Response(), caller, parts),
        keys=manage_privacy.list_secrets(caller, parts), gateways=manage_privacy.list_gateway_keys(caller, parts),
    )  # fmt: skip
