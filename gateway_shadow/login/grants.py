"""What a provider says of a person, as who that is here and what they may do. Pure.

A group gives a role in a tenant by a rule that says so, and nothing is given by a name alone.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from policy_store.api_keys import Role
from policy_store.sessions import Grant, in_order
from spendgate.model.text import EXPECTED, is_name


class GrantRule(NamedTuple):
    """Who is in the group has the grant."""

    group: str
    tenant: str
    role: Role


class NotAdmitted(Exception):
    """The provider knows the person, and there is no way in for them here. ``code`` names the kind."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


def rules_json(rules: Iterable[GrantRule]) -> str:
    """The rules as one text, whatever their order."""
    return json.dumps(sorted(rules))


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name; else, where the name has dots, by the path that they part (``realm_access.roles``)."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def groups_of(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """The groups that a claim lists; a single string is one group, and what is no string is none."""
    found = claim(claims, name)
    listed = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return frozenset(each for each in listed if isinstance(each, str))


def name_of(claims: Mapping[str, Any], name: str, *, takes_unverified: bool) -> str:
    """Who the provider says it is; of an e-mail address, in small letters. Raises NotAdmitted."""
    found = claim(claims, name)
    if not isinstance(found, str) or not found:
        raise NotAdmitted("no_name", f"expected the claim `{name}` from the provider, and it did not send one")
    if name == "email":
        if claims.get("email_verified") not in (True, "true") and not takes_unverified:
            raise NotAdmitted("email_unverified", "expected an e-mail address that the provider has verified")
        found = found.lower()
    if not is_name(found):
        raise NotAdmitted("bad_name", f"expected the claim `{name}` to be {EXPECTED}")
    return found


def grants_of(groups: frozenset[str], rules: Iterable[GrantRule]) -> tuple[Grant, ...]:
    """What the groups give, once each: by tenant, and the role that may least first."""
    found = {Grant(rule.tenant, rule.role) for rule in rules if rule.group in groups}
    return tuple(in_order(found))
