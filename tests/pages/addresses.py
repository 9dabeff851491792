"""Every page: its route, an address of it in the door of these tests, and who may read it."""

from typing import NamedTuple

from gateway_shadow.callers import Right


class Page(NamedTuple):
    """``route``: as the program spells it."""

    route: str
    address: str
    right: Right = "read"


OPEN = {"/docs"}
"""Routes of pages that anybody may see."""
PAGES = (
    Page("/", "/"),
    Page("/budgets", "/budgets"),
    Page("/shadow", "/shadow"),
    Page("/shadow/story", "/shadow/story?source=app&id=e17"),
    Page("/reviews", "/reviews?state="),
    Page("/alerts", "/alerts"),
    Page("/alerts/targets/{name}", "/alerts/targets/ops", "operate"),
    Page("/policies", "/policies"),
    Page("/policies/{name}", "/policies/capped"),
    Page("/design", "/design", "edit"),
    Page("/design/{name}", "/design/capped", "edit"),
    Page("/simulations", "/simulations"),
    Page("/simulations/{id_}", "/simulations/JOB"),
    Page("/gate", "/gate"),
    Page("/gate/criteria", "/gate/criteria"),
    Page("/gate/{id_}", "/gate/STAGING"),
    Page("/ledger", "/ledger"),
    Page("/keys", "/keys", "operate"),
    Page("/privacy", "/privacy"),
    Page("/audit", "/audit?verify=yes", "operate"),
    Page("/settings", "/settings"),
)
