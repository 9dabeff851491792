"""The configuration of Envoy's rate limit service: a domain and its tree of descriptors.

Format: the README of envoyproxy/ratelimit. The most specific descriptor wins, so one without a value does not count
what a sibling names; ``shadow_mode`` lets everything pass, which is a ``warn`` here.
"""

from dataclasses import replace

from spendgate.importers.envoy_limits import NO_FIELD, NO_VALUE, TWICE, Limited, Session, carry_limit
from spendgate.importers.reading import Data
from spendgate.importers.values import glob_of
from spendgate.model.policy_problems import Path


def carry_service(session: Session, where: Path) -> bool:
    """The limits of the document at ``where``; False where it is no such configuration."""
    domain = session.carrying.at((*where, "domain"))
    descriptors = (*where, "descriptors")
    if not isinstance(domain, str) or not isinstance(session.carrying.at(descriptors), list):
        return False
    _walk(session, descriptors, Limited((domain,), sources=((*where, "domain"),)), domain)
    return True


def _walk(session: Session, where: Path, above: Limited, domain: str) -> None:
    found = session.carrying.at(where)
    for i in range(len(found)) if isinstance(found, list) else ():
        path = (*where, i)
        limited = _narrowed(session, path, above, found if isinstance(found, list) else [])
        if limited is None:
            continue
        _limit(session, path, limited, domain)
        _walk(session, (*path, "descriptors"), limited, domain)


def _narrowed(session: Session, path: Path, above: Limited, siblings: list[Data]) -> Limited | None:
    """What the descriptor at ``path`` looks at within ``above``; None, and all of it left, where none can say it."""
    carrying = session.carrying
    key, value = carrying.at((*path, "key")), carrying.at((*path, "value"))
    field = session.field_of(key)
    if field is None or field in above.fields:
        carrying.leave(path, NO_FIELD.format("KEY") if field is None else TWICE)
        return None
    sources = (*above.sources, (*path, "key"))
    if value is None or value == "":
        named = [glob for glob in (glob_of(each, wild="*") for each in _values(siblings, key)) if glob]
        exclude = above.exclude | ({field: named} if named else {})
        carrying.approximate((*path, "key"), "a call that does not say it is not counted")
        return replace(above, label=(*above.label, field), scope=above.scope | {field: ["*"]}, exclude=exclude,
                       per=(*above.per, field), sources=sources)  # fmt: skip
    glob = glob_of(value, wild="*")
    if glob is None:
        carrying.leave(path, NO_VALUE)
        return None
    return replace(above, label=(*above.label, str(value)), scope=above.scope | {field: [glob]},
                   sources=(*sources, (*path, "value")))  # fmt: skip


def _values(siblings: list[Data], key: Data) -> list[Data]:
    """The values that descriptors beside one name for its key."""
    return [each.get("value") for each in siblings if isinstance(each, dict) and each.get("key") == key]


def _limit(session: Session, path: Path, limited: Limited, domain: str) -> None:
    carrying, limit = session.carrying, (*path, "rate_limit")
    if not carrying.has(limit):
        return
    shadow = carrying.at((*path, "shadow_mode"))
    if carrying.at((*limit, "unlimited")) is True:
        carrying.leave(limit, "no limit")
        return
    if carrying.has((*limit, "replaces")):
        carrying.leave(limit, "replaces another limit by its name, which policies cannot: they do not see each other")
        return
    amount, unit = (*limit, "requests_per_unit"), (*limit, "unit")
    if carry_limit(session, limited, amount, unit, domain, warn=shadow is True) != "nothing":
        carrying.carry((*path, "shadow_mode"))
