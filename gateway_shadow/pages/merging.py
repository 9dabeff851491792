"""Two people have edited one policy: what the other one has changed, and where the two meet."""

import json
from typing import Any, NamedTuple

from gateway_shadow.auth import Caller
from gateway_shadow.pages.design_view import look
from gateway_shadow.parts import Parts
from policy_store import policies
from policy_store.errors import NotFound
from spendgate.model.canonical import from_canonical
from spendgate.model.policy import Policy
from spendgate.model.policy_diff import diff_policies


class Theirs(NamedTuple):
    """``changes``, ``mine``: in words, from the version that both began with; ``both``: places that both changed."""

    author: str
    revision: int
    hash: str
    text: str
    changes: list[str]
    mine: list[str]
    both: list[str]


def theirs_of(parts: Parts, caller: Caller, name: str, base: str, text: str) -> Theirs:
    """What is there now, beside a text that was made from the version ``base``."""
    with parts.database.read() as connection:
        latest = policies.require(connection, caller.tenant, name)
        try:
            begun = policies.require_version(connection, caller.tenant, name, base) if base else None
        except NotFound:
            begun = None
    theirs, mine = from_canonical(latest.latest.document), look(text).policy
    old = None if begun is None else from_canonical(begun.document)
    return Theirs(
        latest.latest.author, latest.revision, latest.latest.hash, latest.latest.source, _words(old, theirs),
        _words(old, mine), _meeting(old, theirs, mine),
    )  # fmt: skip


def _words(old: Policy | None, new: Policy | None) -> list[str]:
    return [] if old is None or new is None else [each.words for each in diff_policies(old, new).changes]


def _meeting(old: Policy | None, theirs: Policy, mine: Policy | None) -> list[str]:
    if old is None or mine is None:
        return []
    begun, one, two = (dict(_leaves(json.loads(each.model_dump_json()))) for each in (old, theirs, mine))
    places = begun.keys() | one.keys() | two.keys()
    return sorted(
        place
        for place in places
        if one.get(place) != begun.get(place)
        and two.get(place) != begun.get(place)
        and one.get(place) != two.get(place)
    )


def _leaves(value: Any, place: str = "") -> Any:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves(each, f"{place}.{name}" if place else name)
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        for number, each in enumerate(value):
            yield from _leaves(each, f"{place}[{number}]")
    else:
        yield place, value
