"""Alerts over HTTP: their history, what became of each, and where they go."""

import time
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool

from gateway_shadow.alerting.addresses import BadUrl
from gateway_shadow.alerting.documents import (
    AlertDocument,
    AlertPage,
    DeliveryDocument,
    NewTarget,
    SecretRotation,
    ShownTarget,
    TargetDocument,
    TargetEdit,
    Trial,
    after_of,
    next_after,
)
from gateway_shadow.alerting.messages import trial
from gateway_shadow.auth import Operator, Reader
from gateway_shadow.documents import Name, NamedInPath
from gateway_shadow.openapi import problems
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import FieldProblem, Problem
from gateway_shadow.revisions import IfMatch, tagged
from policy_store import alert_deliveries, alert_targets, alerts
from policy_store.alert_targets import Target
from policy_store.change import random_hex
from spendgate.model.alert import AlertKind

router = APIRouter(tags=["alerts"])
_CHANGED = problems(404, 409, 412, 422, 428)


@router.get("/v1/alerts", responses=problems(422))
def list_alerts(
    caller: Reader, parts: Shared,
    policy: Annotated[Name | None, Query()] = None,
    kind: Annotated[AlertKind | None, Query()] = None,
    after: Annotated[str | None, Query(max_length=100, description="The `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> AlertPage:  # fmt: skip
    """A page of the history, the latest first, and what became of each."""
    place = after_of(after)
    with parts.database.read() as connection:
        found = alerts.listed(connection, caller.tenant, policy=policy, kind=kind, after=place, most=limit + 1)
        shown = found[:limit]
        sent = alert_deliveries.of_alerts(connection, [each.id for each in shown])
    return AlertPage(
        alerts=[AlertDocument.of(each, sent[each.id]) for each in shown],
        next=next_after(shown[-1]) if len(found) > limit else None,
    )


@router.get("/v1/alerts/targets", responses=problems())
def list_targets(caller: Operator, parts: Shared) -> list[TargetDocument]:
    """Where the tenant's alerts go, by name."""
    with parts.database.read() as connection:
        found = alert_targets.listed(connection, caller.tenant)
    return [TargetDocument.of(each, parts.changes.now_ms()) for each in found]


@router.post("/v1/alerts/targets", status_code=201, responses=problems(409, 422))
def create_target(wanted: NewTarget, response: Response, caller: Operator, parts: Shared) -> ShownTarget:
    """A new target. A webhook's secret is shown this once."""
    _require_url(parts, wanted.url)
    with parts.changes.of(caller.tenant, caller.person) as change:
        made = alert_targets.create(change, parts.alert_sender.sealer, **dict(wanted))
    return ShownTarget(secret=made.secret, about=_told(response, parts, made.target))


@router.get("/v1/alerts/targets/{name}", responses=problems(404))
def get_target(name: NamedInPath, response: Response, caller: Operator, parts: Shared) -> TargetDocument:
    """One target; the ETag is what a change names."""
    with parts.database.read() as connection:
        return _told(response, parts, alert_targets.require(connection, caller.tenant, name))


@router.patch("/v1/alerts/targets/{name}", responses=_CHANGED)
def edit_target(
    name: NamedInPath, wanted: TargetEdit, response: Response, caller: Operator, parts: Shared, revision: IfMatch
) -> TargetDocument:
    """Change what is given, and leave the rest."""
    if wanted.url is not None:
        _require_url(parts, wanted.url)
    with parts.changes.of(caller.tenant, caller.person) as change:
        made = alert_targets.edit(change, parts.alert_sender.sealer, name, revision, **dict(wanted))
    return _told(response, parts, made)


@router.delete("/v1/alerts/targets/{name}", responses=_CHANGED)
def remove_target(name: NamedInPath, caller: Operator, parts: Shared, revision: IfMatch) -> TargetDocument:
    """Forget a target; what waits for it is not sent any more."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        return TargetDocument.of(alert_targets.remove(change, name, revision), change.now_ms)


@router.post("/v1/alerts/targets/{name}/rotate", status_code=201, responses=_CHANGED)
def rotate_secret(
    name: NamedInPath, wanted: SecretRotation, response: Response, caller: Operator, parts: Shared, revision: IfMatch
) -> ShownTarget:
    """A new secret, shown this once; for a while messages carry a signature by each of the two."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        made = alert_targets.rotate(change, parts.alert_sender.sealer, name, revision, wanted.overlap_s * 1000)
    return ShownTarget(secret=made.secret, about=_told(response, parts, made.target))


@router.post("/v1/alerts/targets/{name}/test", responses=problems(404))
async def try_target(name: NamedInPath, caller: Operator, parts: Shared) -> Trial:
    """Send a test now, once, also to a target that is switched off; the answer says what came of it."""

    def found() -> Target:
        with parts.database.read() as connection:
            return alert_targets.require(connection, caller.tenant, name)

    target = await run_in_threadpool(found)
    message = trial(caller.tenant, name, f"alr-test-{random_hex()}", parts.changes.now_ms())
    begun = time.monotonic()
    answer = await parts.alert_sender.send(target, message)
    took_ms = round((time.monotonic() - begun) * 1000)
    return Trial(delivered=answer.problem is None, status=answer.status, problem=answer.problem, took_ms=took_ms)


@router.get("/v1/alerts/{id_}", responses=problems(404))
def get_alert(id_: NamedInPath, caller: Reader, parts: Shared) -> AlertDocument:
    """One alert, and what became of it."""
    with parts.database.read() as connection:
        found = alerts.require(connection, caller.tenant, id_)
        return AlertDocument.of(found, alert_deliveries.of_alerts(connection, [found.id])[found.id])


@router.post("/v1/alerts/{id_}/deliveries/{target}/resend", status_code=202, responses=problems(404, 409))
def resend_alert(id_: NamedInPath, target: NamedInPath, caller: Operator, parts: Shared) -> DeliveryDocument:
    """Have an alert sent to a target again, under the same id, or for the first time."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        return DeliveryDocument.of(alert_deliveries.resend(change, id_, target))


def _require_url(parts: Parts, url: str) -> None:
    try:
        parts.alert_sender.allowed.require_url(url)
    except BadUrl as error:
        raise Problem(422, "bad_field", "see errors", [FieldProblem(field="url", expected=str(error))]) from None


def _told(response: Response, parts: Parts, found: Target) -> TargetDocument:
    tagged(response, found.revision)
    return TargetDocument.of(found, parts.changes.now_ms())
