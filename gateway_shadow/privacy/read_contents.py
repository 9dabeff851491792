"""Kept content over HTTP: read by whoever has the right of its own, erased by operators. The trail knows of each."""

import json

from fastapi import APIRouter

from content_store.cipher import Unreadable, unseal
from content_store.store import ContentStore
from gateway_shadow.auth import Caller, ContentReader, Operator, Reader
from gateway_shadow.documents import instant
from gateway_shadow.openapi import problems
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.privacy.documents import (
    CallReference,
    Comparison,
    ContentDocument,
    ContentSummary,
    Erased,
    Erasure,
    Fingerprints,
)
from gateway_shadow.privacy.fingerprints import NoJson, canonical, fingerprint
from gateway_shadow.problems import FieldProblem, Problem
from policy_store import privacy, tenant_secrets
from policy_store.errors import NotFound, Refused
from spendgate.model.privacy import permits

router = APIRouter(tags=["privacy"])


@router.get("/v1/privacy/contents", responses=problems(409))
def summarise_contents(caller: Reader, parts: Shared) -> ContentSummary:
    """How many calls' content is kept."""
    found = _store(parts).summary(caller.tenant)
    return ContentSummary(calls=found.calls, oldest_at=instant(found.oldest_ms))


@router.post("/v1/privacy/contents/read", responses=problems(404, 409, 422))
def read_content(wanted: CallReference, caller: ContentReader, parts: Shared) -> ContentDocument:
    """What was said in a call. Who reads, what and why is in the trail before it is answered."""
    store = _store(parts)
    with parts.changes.of(caller.tenant, caller.person) as change:
        change.note("read", f"content {wanted.source} {wanted.id}", None, {"key": caller.key_id}, wanted.why)
        secrets = tenant_secrets.listed(change.connection, caller.tenant)
    found = store.get(caller.tenant, wanted.source, wanted.id)
    if found is None:
        raise NotFound("content: none is kept of this call")
    about = found.about
    key = next(iter(parts.privacy.desk.opened([each for each in secrets if each.id == about.key_id])), None)
    try:
        if key is None:
            raise Unreadable
        said = json.loads(unseal(key.key, found.sealed, about))
    except Unreadable:
        raise Refused("unreadable", "content: its key is not there any more, or it has been changed") from None
    return ContentDocument(
        source=about.source, id=about.event_id, mode=about.mode, kept_at=instant(about.kept_ms),
        kept_until=instant(about.until_ms), **said,
    )  # fmt: skip


@router.post("/v1/privacy/contents/erase", responses=problems(409, 422))
def erase_contents(wanted: Erasure, caller: Operator, parts: Shared) -> Erased:
    """Erase the content of a call; or everything of the tenant, and the keys that could open a copy of it."""
    if not wanted.is_clear:
        expected = "source and id of one call, or all"
        raise Problem(422, "bad_field", "see errors", [FieldProblem(field="source", expected=expected)])
    if wanted.all:
        return _erase_all(wanted.why, caller, parts)
    store = _store(parts)
    with parts.changes.of(caller.tenant, caller.person) as change:
        erased = store.erase(caller.tenant, wanted.source or "", wanted.id or "")
        change.note("erase", f"content {wanted.source} {wanted.id}", None, {"calls": erased}, wanted.why)
    return Erased(erased=erased)


def _erase_all(why: str, caller: Caller, parts: Parts) -> Erased:
    """First the keys: from then on nothing can be read, here or in a backup. Rows that a fault leaves are swept."""
    store = _store(parts)
    with parts.changes.of(caller.tenant, caller.person) as change:
        keys = tenant_secrets.destroy_all(change, "content")
        calls = store.summary(caller.tenant).calls
        change.note("erase", "all content", None, {"calls": calls, "keys": keys}, why)
        settings = privacy.get(change.connection, caller.tenant).settings
        if permits(settings.widest).redacted and parts.privacy.master is not None:
            tenant_secrets.ensure(change, parts.privacy.master, "content")
    return Erased(erased=store.erase_all(caller.tenant, keys))


@router.post("/v1/privacy/fingerprints", responses=problems(422))
def compare_content(wanted: Comparison, caller: ContentReader, parts: Shared) -> Fingerprints:
    """What the fingerprint of a content would be, under each key: so that calls before a rotation are found too."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        change.note("compare", "content", None, {"key": caller.key_id}, wanted.why)
        secrets = tenant_secrets.listed(change.connection, caller.tenant)
    try:
        raw = canonical(wanted.content)
    except NoJson:
        raise Problem(422, "bad_field", "see errors", [FieldProblem(field="content", expected="JSON")]) from None
    keys = parts.privacy.desk.opened([each for each in secrets if each.purpose == "fingerprint"])
    return Fingerprints(fingerprints=[fingerprint(key, raw) for key in keys])


def _store(parts: Parts) -> ContentStore:
    if parts.privacy.contents is None:
        raise Refused("no_content_store", "content: this door has no store for it (SPENDGATE_CONTENT_STORE)")
    return parts.privacy.contents
