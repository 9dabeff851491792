"""Envoy Gateway's ``BackendTrafficPolicy`` with a global rate limit whose cost comes from response metadata.

Format: "Usage-based Rate Limiting" of Envoy AI Gateway and "Global Rate Limit" of Envoy Gateway. The header matches
of one selector AND; several selectors are a limit each.
"""

from dataclasses import replace

from spendgate.importers.envoy_limits import NO_FIELD, NO_VALUE, TWICE, Limited, Session, carry_limit
from spendgate.importers.values import glob_of
from spendgate.model.policy_problems import Path

_PER_INSTANCE = "counts in each proxy by itself; a policy's counter is one"
_SELECTS = "selects calls by what no event holds, so the limit stays behind"
_VERSION = "gateway.envoyproxy.io/v1alpha1"
_NAMESPACE = "io.envoy.ai_gateway"
_EACH = "counts each request too, besides what it costs"
_BEHIND = "a part of a limit that policies have nothing for"
_ROUTE = "counted per route there; here one counter for all of them"


def carry_gateway(session: Session, where: Path) -> bool:
    """The limits of the resource at ``where``; False where it has none."""
    limits = (*where, "spec", "rateLimit")
    kind, version = (session.carrying.at((*where, name)) for name in ("kind", "apiVersion"))
    if kind != "BackendTrafficPolicy" or version != _VERSION or not session.carrying.has(limits):
        return False
    session.carrying.carry((*where, "kind"), (*where, "apiVersion"))
    if session.carrying.at((*limits, "type")) == "Global":
        session.carrying.carry((*limits, "type"))
    name = session.carrying.at((*where, "metadata", "name"))
    label = name if isinstance(name, str) and name else "gateway"
    session.carrying.leave((*limits, "local"), _PER_INSTANCE)
    rules = session.carrying.at((*limits, "global", "rules"))
    for i in range(len(rules)) if isinstance(rules, list) else ():
        _rule(session, (*limits, "global", "rules", i), Limited((label,), sources=((*where, "metadata", "name"),)))
    return True


def _rule(session: Session, path: Path, limited: Limited) -> None:
    selectors = session.carrying.at((*path, "clientSelectors"))
    count = len(selectors) if isinstance(selectors, list) else 0
    places: list[Path] = [(*path, "clientSelectors", i) for i in range(count)]
    for narrowed in [_selected(session, place, limited) for place in places] if places else [limited]:
        if narrowed is not None:
            _limit(session, path, narrowed)
    session.carrying.leave(path, _BEHIND)


def _limit(session: Session, path: Path, limited: Limited) -> None:
    carrying, response = session.carrying, (*path, "cost", "response")
    key = (*response, "metadata", "key")
    counted = carrying.at(key) if carrying.at((*response, "from")) == "Metadata" else None
    domain = counted if isinstance(counted, str) else None
    carried = carry_limit(session, limited, (*path, "limit", "requests"), (*path, "limit", "unit"), domain)
    if carried == "budget":
        carrying.approximate((*path, "limit"), _ROUTE)
        _settle_cost(session, path)


def _settle_cost(session: Session, path: Path) -> None:
    carrying, request, response = session.carrying, (*path, "cost", "request"), (*path, "cost", "response")
    carrying.carry((*response, "from"), (*response, "metadata", "key"))
    if carrying.at((*response, "metadata", "namespace")) == _NAMESPACE:
        carrying.carry((*response, "metadata", "namespace"))
    if carrying.at((*request, "from")) == "Number" and carrying.at((*request, "number")) == 0:
        carrying.carry((*request, "from"), (*request, "number"))
    elif carrying.has(request):
        carrying.leave(request, _EACH)
    else:
        carrying.approximate((*path, "cost"), _EACH)


def _selected(session: Session, path: Path, limited: Limited) -> Limited | None:
    """What the selector at ``path`` narrows it to; None, and the selector left, where no scope can say it."""
    carrying = session.carrying
    selector = carrying.at(path)
    if not isinstance(selector, dict) or any(carrying.has((*path, name)) for name in selector if name != "headers"):
        carrying.leave(path, _SELECTS)
        return None
    headers = selector.get("headers")
    for i in range(len(headers)) if isinstance(headers, list) else ():
        narrowed = _header(session, (*path, "headers", i), limited)
        if isinstance(narrowed, str):
            carrying.leave(path, narrowed)
            return None
        limited = narrowed
    return limited


def _header(session: Session, path: Path, limited: Limited) -> Limited | str:
    """What the header match narrows it to, or the reason why it cannot."""
    carrying = session.carrying
    field = session.field_of(carrying.at((*path, "name")))
    kind, value = carrying.at((*path, "type")) or "Exact", carrying.at((*path, "value"))
    if field is None or field in limited.fields | limited.exclude.keys():
        return NO_FIELD.format("HEADER") if field is None else TWICE
    sources = (*limited.sources, *((*path, name) for name in ("name", "type", "invert")))
    if kind == "Distinct" and not carrying.at((*path, "invert")):
        return replace(limited, label=(*limited.label, field), scope=limited.scope | {field: ["*"]},
                       per=(*limited.per, field), sources=sources)  # fmt: skip
    glob = glob_of(value)
    if kind != "Exact" or glob is None:
        return _SELECTS if kind != "Exact" else NO_VALUE
    sources = (*sources, (*path, "value"))
    if carrying.at((*path, "invert")) is True:
        return replace(limited, exclude=limited.exclude | {field: [glob]}, sources=sources)
    return replace(limited, label=(*limited.label, str(value)), scope=limited.scope | {field: [glob]}, sources=sources)
