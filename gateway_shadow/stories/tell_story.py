"""One call's whole story over HTTP."""

from functools import lru_cache
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from gateway_shadow.auth import Caller, Reader
from gateway_shadow.documents import Name
from gateway_shadow.ledger.read_ledger import reading
from gateway_shadow.openapi import problems
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import Problem
from gateway_shadow.stories.example import STORY
from gateway_shadow.stories.reading import Found, found_call, neighbours_of
from gateway_shadow.stories.story import story
from policy_store import policies
from policy_store.errors import StoreAway
from spendgate.model.canonical import from_canonical
from spendgate.model.policy import Policy
from spendgate.simulate.call_rules import rules_of

router = APIRouter(tags=["ledger"])
_policy_of = lru_cache(2_000)(from_canonical)


class Story(BaseModel):
    """One call. ``attribution``: by which of six it is known whose it is. ``rules``: by staging that was in force,
    every rule and its verdict in words; null without a decision, and where the ledger does not have what was in force.
    ``check``: what was said before the call, where it settles a check. ``neighbours``: the calls beside it in the
    window of the budget that decided; null where none looked."""

    model_config = ConfigDict(json_schema_extra={"examples": [STORY]})

    event: dict[str, Any]
    received_at: str | None
    position: dict[str, str | int | None] | None
    repeats: int
    attribution: dict[str, Any]
    decision: dict[str, Any] | None
    rules: list[dict[str, Any]] | None
    evidence_status: str | None
    evidence: dict[str, Any]
    outcome: str | None
    cost_nano_usd: int | None
    check: dict[str, Any] | None
    neighbours: dict[str, Any] | None
    annotations: list[dict[str, Any]]


@router.get("/v1/story", responses=problems(404, 409, 422))
def tell_story(
    caller: Reader, parts: Shared,
    id_: Annotated[Name, Query(alias="id", examples=["run-42-call-7"])],
    source: Annotated[Name, Query(examples=["claims-agent"])],
    neighbours: Annotated[int, Query(ge=0, le=50, description="Calls to tell on either side of it.")] = 10,
) -> Story:  # fmt: skip
    """One call's whole story: what came in, whose it is, what each rule said, what became of it, what was beside it."""
    with reading(parts, "events", "decisions", "activations", "checks") as ledger:
        found = found_call(ledger, caller.tenant, source, id_, parts.calls)
        if found is None:
            raise Problem(404, "not_found", "no call of this source and id is in the ledger")
        known = _policies(parts, caller, found)
        beside = neighbours_of(ledger, caller.tenant, found, known, neighbours) if neighbours else None
    decision = found.recorded.decision
    rules = None if decision is None else rules_of(found.recorded.call, decision, found.document, known)
    return Story(**story(found.recorded), rules=rules, neighbours=beside)


def _policies(parts: Parts, caller: Caller, found: Found) -> dict[str, Policy]:
    """The policies that were in force, by hash, as far as the policy store has them; none while it is away."""
    try:
        with parts.database.read() as connection:
            documents = policies.by_hashes(connection, caller.tenant, {each.hash for each in found.document.stagings})
    except StoreAway:
        return {}
    return {hash_: _policy_of(document) for hash_, document in documents.items()}
