"""The canonical form of a policy, whose SHA-256 names the version.

The form is JSON as RFC 8785 (JCS) writes it: UTF-8, keys sorted, no space; a policy holds no fraction, so
number formatting never matters. It is the whole document, name, owner and description included: an auditor
who has the hash has every word that was approved. What means the same is written the same:

- defaults stand in it (a later default can't change what an old hash means); absent fields and an empty
  ``exclude`` do not, and ``week_starts`` only with a week; an ``on_expiry`` of ``approve`` and the defaults of
  ``enforcement`` do not either, for these fields are younger than the first hashes;
- dollars are plain decimals without needless zeros: ``500.00`` and ``5e2`` are ``500``;
- durations are in their largest whole unit: ``24h`` is ``1d``;
- lists whose order means nothing (globs, ``evidence_status``, ``per``, warn thresholds) are sorted sets.

The order of rules is kept, for reasons name a rule by its number. Descriptions are compared byte by byte.
"""

import json
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from spendgate.model.money import NANO_PER_USD, parse_usd
from spendgate.model.policy import CalendarWindow, Document, Enforcement, Policy, Review, Scope, Spec
from spendgate.model.policy_types import MINUTES_PER_UNIT, minutes_of

_USD_FIELDS = frozenset({"cap_usd", "max_cost_usd", "cost_usd_over"})
_DURATION_FIELDS = frozenset({"rolling", "expires", "reserve_for"})
_ORDERED_FIELDS = frozenset({"rules", "per", "warn_at_percent"})
"""Lists that stand as they are: rules are numbered, and the model has sorted the other two."""


class NotCanonical(ValueError):
    """Bytes that are not the canonical form of a policy."""


def canonical_bytes(part: Document) -> bytes:
    """The canonical form of a policy, UTF-8 JSON, which ``from_canonical`` reads back.

    A part of one (a rule, a scope, a window) has a form too: equal exactly where two parts mean the same.
    """
    return json.dumps(_fields(part), ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def policy_hash(policy: Policy) -> str:
    """The SHA-256 of the canonical form, 64 lower-case hex digits."""
    return sha256(canonical_bytes(policy)).hexdigest()


def from_canonical(raw: bytes) -> Policy:
    """The policy whose canonical form is ``raw``; raises NotCanonical for anything else, however close."""
    try:
        policy = Policy.model_validate_json(raw)
    except ValidationError:
        raise NotCanonical("expected the canonical form of a policy: it is not a policy") from None
    if canonical_bytes(policy) != raw:
        raise NotCanonical("expected the canonical form of a policy: it is written otherwise")
    return policy


def _fields(part: Document) -> dict[str, Any]:
    fields = {name: _value(name, getattr(part, name)) for name in part.given()}
    if isinstance(part, CalendarWindow) and part.calendar != "week":
        del fields["week_starts"]
    if isinstance(part, Scope) and not fields.get("exclude"):
        fields.pop("exclude", None)
    if isinstance(part, Review) and part.on_expiry == "approve":
        del fields["on_expiry"]
    if isinstance(part, Enforcement):
        return {name: value for name, value in fields.items() if getattr(part, name) != getattr(Enforcement(), name)}
    if isinstance(part, Spec) and not fields["enforcement"]:
        del fields["enforcement"]
    return fields


def _value(name: str, value: Any) -> Any:
    if isinstance(value, Document):
        return _fields(value)
    if isinstance(value, list):
        items = [_value("", item) for item in value]
        return items if name in _ORDERED_FIELDS else sorted(set(items))
    if name in _USD_FIELDS:
        return usd_text(parse_usd(value))
    return _duration_text(value) if name in _DURATION_FIELDS else value


def usd_text(nano_usd: int) -> str:
    """Nano-USD as the shortest plain decimal of dollars, exactly: ``0.25``."""
    whole, fraction = divmod(nano_usd, NANO_PER_USD)
    return f"{whole}.{fraction:09d}".rstrip("0").rstrip(".")


def _duration_text(duration: str) -> str:
    minutes = minutes_of(duration)
    whole = {length: unit for unit, length in MINUTES_PER_UNIT.items() if minutes % length == 0}
    return f"{minutes // max(whole)}{whole[max(whole)]}"
