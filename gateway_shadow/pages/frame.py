"""What stands on every page: who one is, where one can go, and what is enforced, in words."""

from dataclasses import dataclass
from datetime import datetime

from fastapi import Request

from gateway_shadow.callers import RIGHTS, Caller, Right
from gateway_shadow.documents import instant
from gateway_shadow.flags import manage_flags
from gateway_shadow.flags.documents import Status
from gateway_shadow.login.secrets import csrf_token
from gateway_shadow.outages import Outage
from gateway_shadow.pages.navigation import Group, groups_for
from gateway_shadow.parts import Parts
from policy_store.errors import StoreAway

THEMES = ("light", "dark")


@dataclass(frozen=True)
class Frame:
    """``caller``: None on a page that anybody may see. ``token``: against forgery. ``enforcement``: None where it
    cannot be read, and then ``outage`` says why; ``away``: other stores that do not answer; ``theme``: empty where the
    browser's own is taken."""

    path: str
    theme: str
    now: datetime | None
    caller: Caller | None = None
    token: str = ""
    groups: tuple[Group, ...] = ()
    enforcement: Status | None = None
    outage: Outage | None = None
    away: tuple[Outage, ...] = ()

    def may(self, right: Right) -> bool:
        """Whether the caller's role has a right."""
        return self.caller is not None and right in RIGHTS[self.caller.role]


def frame_of(request: Request, parts: Parts, caller: Caller | None) -> Frame:
    """The frame of a request's page."""
    theme = request.cookies.get("spendgate-theme", "")
    path, now = request.url.path, instant(parts.changes.now_ms())
    shown = theme if theme in THEMES else ""
    if caller is None or "read" not in RIGHTS[caller.role]:
        return Frame(path, shown, now, caller, _token(request, parts))
    enforcement, outage = _enforcement(parts, caller)
    return Frame(
        path, shown, now, caller, _token(request, parts), tuple(groups_for(caller)), enforcement, outage,
        parts.outages.now("redis", "kafka"),
    )  # fmt: skip


def _token(request: Request, parts: Parts) -> str:
    text = parts.login.site.session_text(request)
    return csrf_token(text) if text else ""


def _enforcement(parts: Parts, caller: Caller) -> tuple[Status | None, Outage | None]:
    try:
        found = manage_flags.get_enforcement(caller, parts)
    except StoreAway:
        return None, parts.outages.away("policies")
    parts.outages.answers("policies")
    return found, None
