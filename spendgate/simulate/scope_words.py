"""Why a policy's scope leaves a call out, in words."""

from collections.abc import Mapping
from typing import Any

from spendgate.engine.scope import ScopeIndex
from spendgate.model.policy import Policy
from spendgate.model.text import NONE


def mismatch_words(policy: Policy, event: Mapping[str, Any]) -> str | None:
    """By the first field that does; None for a call in scope. ``event``: at least the fields of scopes."""
    scope = policy.spec.scope
    index = ScopeIndex.of([scope])
    fields = zip(index.fields, index.indexes, strict=True)
    name = next((each for each, values in fields if not values.policies(event[each])), None)
    if name is None:
        return None
    wanted, excluded = getattr(scope, name), getattr(scope.exclude, name) if scope.exclude else None
    said = [f"looks at {', '.join(wanted)}"] if wanted else []
    said += [f"leaves out {', '.join(excluded)}"] if excluded else []
    return f"not in scope: {name} is {event[name] or NONE}, the policy {' and '.join(said)}"
