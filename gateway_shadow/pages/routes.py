"""All pages; the composition root includes them."""

from gateway_shadow.pages import (
    alerts,
    api,
    assets,
    audit,
    budgets,
    criteria,
    design,
    gate,
    keys,
    ledger,
    overview,
    policies,
    privacy,
    reviews,
    settings,
    shadow,
    simulations,
)

_ALL = (
    assets, overview, budgets, shadow, reviews, alerts, policies, design, simulations, criteria, gate, ledger, keys,
    privacy, audit, settings, api,
)  # fmt: skip
PAGES = tuple(each.router for each in _ALL)
