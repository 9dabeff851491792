"""The flag over HTTP: viewers see what is enforced, two operators turn it on, one turns it off."""

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool

from gateway_shadow.auth import Caller, Operator, Reader
from gateway_shadow.documents import NamedInPath, Why
from gateway_shadow.flags.documents import EndedDocument, FlagDocument, Flip, Off, RequestDocument, Status
from gateway_shadow.openapi import problems
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import Problem
from policy_store import (
    enforcement,
    flags,
    flip_requests,
    tenants,
)
from policy_store.audit import SYSTEM
from policy_store.errors import NotFound
from policy_store.flags import Level
from window_counters.protocol import StoreUnavailable, StoreUnfit

router = APIRouter(tags=["enforcement"])


@router.get("/v1/enforcement", responses=problems())
def get_enforcement(caller: Reader, parts: Shared) -> Status:
    """What is enforced now: *Shadow only: nothing is blocked*, or exactly what, for whom, since when, by whom, on which
    certificate; and what waits to be confirmed."""
    now_ms = parts.changes.now_ms()
    with parts.database.read() as connection:
        view = flags.read_flags(connection)
        waiting = [
            each
            for tenant in _tenants(caller, parts)
            for each in flip_requests.listed(connection, tenant, now_ms)
            if each.state == "open"
        ]
    return Status.of(view, caller.tenant, waiting, now_ms)


@router.get("/v1/enforcement/requests", responses=problems())
def list_requests(caller: Reader, parts: Shared) -> list[RequestDocument]:
    """The last hundred requests, the latest first."""
    now_ms = parts.changes.now_ms()
    with parts.database.read() as connection:
        found = [
            each for tenant in _tenants(caller, parts) for each in flip_requests.listed(connection, tenant, now_ms)
        ]
    return [RequestDocument.of(each) for each in sorted(found, key=lambda each: -each.asked_ms)[:100]]


@router.post("/v1/enforcement/requests", status_code=201, responses=problems(404, 409, 422))
async def request_on(wanted: Flip, caller: Operator, parts: Shared) -> RequestDocument:
    """Ask for a flag to be turned on; another operator confirms it within an hour. Refused while Redis is away."""
    await _require_redis(parts)

    def ask() -> flip_requests.Request:
        with parts.changes.of(_tenant_of(wanted.level, caller, parts), caller.person) as change:
            share = None if wanted.share is None else wanted.share.share()
            return enforcement.request_on(change, wanted.level, wanted.staging, share, wanted.why)

    return RequestDocument.of(await run_in_threadpool(ask))


@router.post("/v1/enforcement/requests/{id_}/confirm", responses=problems(404, 409, 422))
async def confirm(id_: NamedInPath, said: Why, caller: Operator, parts: Shared) -> FlagDocument:
    """Turn on what another operator has asked for, if the gate is open at this moment. Refused while Redis is away."""
    await _require_redis(parts)

    def turn_on() -> flags.Flag:
        with parts.changes.of(_tenant_of_request(id_, caller, parts), caller.person) as change:
            return enforcement.confirm_on(change, id_, parts.signer, said.why)

    return FlagDocument.of(await run_in_threadpool(turn_on))


@router.post("/v1/enforcement/requests/{id_}/withdraw", responses=problems(404, 409, 422))
def withdraw(id_: NamedInPath, said: Why, caller: Operator, parts: Shared) -> RequestDocument:
    """Take a request back, one's own or another operator's."""
    with parts.changes.of(_tenant_of_request(id_, caller, parts), caller.person) as change:
        return RequestDocument.of(enforcement.withdraw(change, id_, said.why))


@router.post("/v1/enforcement/off", responses=problems(404, 409, 422))
def turn_off(wanted: Off, caller: Operator, parts: Shared) -> EndedDocument:
    """Turn a flag off at once, and all that is beneath it; neither Kafka nor Redis is needed. What is off stays so."""
    tenant = _tenant_of(wanted.level, caller, parts)
    with parts.changes.of(tenant, caller.person) as change:
        found = enforcement.off(change, wanted.level, wanted.staging, wanted.why, parts.signer)
    if wanted.level == "global":
        back = enforcement.finish_off(parts.changes, caller.person, wanted.why, parts.signer)
        found = found._replace(demoted=(*found.demoted, *back))
    return EndedDocument.of(found)


def _tenants(caller: Caller, parts: Parts) -> list[str]:
    """Whose requests somebody sees: their own tenant's, and with the right to it those of the global flag."""
    return [caller.tenant, *([SYSTEM] if _runs_it(caller, parts) else [])]


def _tenant_of(level: Level, caller: Caller, parts: Parts) -> str:
    """Whose flag it is. Raises Problem 403 for the global one, by an operator of a tenant that does not run it all."""
    if level == "global" and not _runs_it(caller, parts):
        words = "the global flag is every tenant's: expected an operator of the tenant in SPENDGATE_HOME_TENANT"
        raise Problem(403, "not_allowed", f"{words}, or of the only tenant that there is")
    return SYSTEM if level == "global" else caller.tenant


def _tenant_of_request(id_: str, caller: Caller, parts: Parts) -> str:
    """Whose request it is: the caller's, or the store's own if the caller may turn the global flag."""
    with parts.database.read() as connection:
        for tenant in _tenants(caller, parts):
            try:
                return flip_requests.require(connection, tenant, id_).tenant
            except NotFound:
                continue
    return caller.tenant


def _runs_it(caller: Caller, parts: Parts) -> bool:
    """Whether the caller's tenant is the one that runs the installation."""
    if parts.config.home_tenant is not None:
        return caller.tenant == parts.config.home_tenant
    with parts.database.read() as connection:
        return tenants.names(connection) == [caller.tenant]


async def _require_redis(parts: Parts) -> None:
    """Without Redis nothing could be enforced, and calls would follow the policy's fail mode. Raises Problem 503."""
    if parts.checker is None:
        return
    try:
        await parts.checker.store.check_fit()
    except (StoreUnavailable, StoreUnfit, OSError):
        words = "Redis does not answer, so nothing could be enforced; nothing was changed, try again when it does"
        raise Problem(503, "redis_away", words, headers={"Retry-After": "5"}) from None
