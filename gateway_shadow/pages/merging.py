"""Two people have edited one policy: what each has changed, and both changes in one text."""

from collections.abc import Mapping
from typing import NamedTuple

from gateway_shadow.auth import Caller
from gateway_shadow.pages.design_form import rewritten, written
from gateway_shadow.pages.design_view import look
from gateway_shadow.parts import Parts
from policy_store import policies
from policy_store.errors import NotFound
from policy_store.policies import Version
from spendgate.model.canonical import from_canonical
from spendgate.model.policy import Policy
from spendgate.model.policy_diff import diff_policies
from spendgate.model.policy_merge import Conflict, Merged, Side, canonical, merge_policies, value_words

PICK = "pick:"
"""What the names of a choice's radio buttons begin with; the place follows."""


class Choice(NamedTuple):
    """A place that both have changed, each otherwise; the rest in words."""

    place: str
    base: str
    theirs: str
    mine: str


class Met(NamedTuple):
    """``base``: the hash of the version that both began with, ``hash``, ``revision``: of theirs. ``changes``, ``mine``:
    in words, from the base. ``text``: mine with their changes in it; None where the base is not known."""

    author: str
    revision: str
    hash: str
    base: str
    theirs: str
    changes: list[str]
    mine: list[str]
    choices: list[Choice]
    text: str | None


class Named(NamedTuple):
    """Which versions are meant, as a form names them by hash; ``theirs`` is the latest one where it is empty."""

    policy: str
    base: str
    theirs: str = ""
    revision: str = ""


def met_of(parts: Parts, caller: Caller, named: Named, text: str, picks: Mapping[str, Side]) -> Met:
    """What is there now, met with a text that was made from the version ``base``. Raises NotFound."""
    with parts.database.read() as connection:
        latest = policies.require(connection, caller.tenant, named.policy)
        theirs, revision = latest.latest, str(latest.revision)
        if named.theirs:
            theirs = policies.require_version(connection, caller.tenant, named.policy, named.theirs)
            revision = named.revision
        try:
            base = policies.require_version(connection, caller.tenant, named.policy, named.base) if named.base else None
        except NotFound:
            base = None
    mine = look(text).policy
    if base is None or mine is None:
        return Met(theirs.author, revision, theirs.hash, named.base, theirs.source, [], [], [], None)
    return _met(theirs, revision, base, text, mine, picks)


def picks_of(form: Mapping[str, str]) -> dict[str, Side]:
    """What a form has chosen, by place."""
    said = {name.removeprefix(PICK): value for name, value in form.items() if name.startswith(PICK)}
    return {place: "theirs" if value == "theirs" else "mine" for place, value in said.items()}


def _met(theirs: Version, revision: str, base: Version, text: str, mine: Policy, picks: Mapping[str, Side]) -> Met:
    old, new = from_canonical(base.document), from_canonical(theirs.document)
    merged = merge_policies(old, new, mine, picks)
    return Met(
        theirs.author, revision, theirs.hash, base.hash, theirs.source, _words(old, new), _words(old, mine),
        [_choice(each) for each in merged.conflicts], merged_text(text, mine, merged),
    )  # fmt: skip


def merged_text(text: str, mine: Policy, merged: Merged) -> str:
    """The text ``mine`` was read from, with what is merged; one of its own where that cannot be written into it."""
    made = rewritten(text, canonical(mine), merged.document, merged.mine)
    found = look(made).policy
    return made if found is None or canonical(found) == merged.document else written(merged.document)


def _choice(found: Conflict) -> Choice:
    return Choice(found.place, *(value_words(found.place, each) for each in (found.base, found.theirs, found.mine)))


def _words(old: Policy, new: Policy) -> list[str]:
    return [f"{each.field}: {each.words}" for each in diff_policies(old, new).changes]
