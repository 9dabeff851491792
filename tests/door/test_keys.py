"""Who may do what: by the key alone, in every route, for every role and for two tenants."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast, get_args

import httpx
import pytest
from sqlalchemy import Connection

from gateway_shadow.auth import ATTEMPTS, RIGHTS, Doorkeeper
from gateway_shadow.beliefs import BELIEVED_S
from gateway_shadow.problems import Problem
from policy_store import api_keys, policies
from policy_store.api_keys import Role
from policy_store.database import Database
from tests.door.conftest import TENANT, Door
from tests.live.waiting import in_time, until
from tests.store.conftest import Store, store, url
from tests.store.scenes import change, policy, source, tenant

__all__ = ["store", "url"]

ROLES: tuple[Role, ...] = get_args(Role)
OPEN = {"/health/live", "/health/ready"}
OPERATED = ("/v1/keys", "/v1/audit", "/v1/sessions", "/v1/alerts/targets")
"""What operators alone may read."""


def routes(door: Door) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every route of the OpenAPI document: method, path, operation."""
    document = httpx.get(f"{door.url}/openapi.json").json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield method.upper(), path, operation


def filled(path: str) -> str:
    """A path with names that are nobody's."""
    return path.replace("{name}", "secret-policy").replace("{version}", "0" * 64).replace("{id_}", "stg-of-another")


def asked(client: httpx.Client, method: str, at: str, **more: Any) -> tuple[int, str]:
    """Status and text of an answer; of a stream, which may have no end, its status alone."""
    with client.stream(method, at, **more) as answer:
        is_stream = answer.headers.get("content-type", "").startswith("text/event-stream")
        return answer.status_code, "" if is_stream else answer.read().decode()


def test_without_a_key_every_route_but_health_is_closed(shared_door: Door) -> None:
    found = {path: httpx.request(method, shared_door.url + filled(path)) for method, path, _ in routes(shared_door)}
    assert {path for path, answer in found.items() if answer.status_code != 401} == OPEN
    assert len(found) > 15


def test_every_role_gets_no_fault_and_nothing_beyond_its_rights(shared_door: Door) -> None:
    for role in ROLES:
        with shared_door.as_(role) as client:
            for method, path, _ in routes(shared_door):
                status, text = asked(client, method, filled(path), json={}, headers={"If-Match": '"1"'})
                assert status < 500, (role, method, path, text)
                if method == "GET" and path not in OPEN:
                    operates = path.startswith(OPERATED)
                    right = "operate" if operates else "read"
                    assert (status == 403) == (right not in RIGHTS[role]), (role, path)


def test_no_tenant_sees_or_moves_anything_of_another(shared_door: Door) -> None:
    name = "secret-policy"
    with shared_door.changes().of("victim", "vic") as made:
        from policy_store import stagings, tenants

        tenants.create(made)
        found = policies.create(made, policy(name=name), source(name=name))
        staging = stagings.submit(made, name, found.latest.hash, "waived for the test")
        theirs = api_keys.create(made, "vic", "operator").key
    marks = (name, staging.id, found.latest.hash, theirs.id)
    names = {"{name}": name, "{version}": found.latest.hash, "{id_}": staging.id}
    for role in ROLES:
        with shared_door.as_(role, tenant="spy") as client:
            for method, path, _ in routes(shared_door):
                for id_ in (staging.id, theirs.id):
                    at = path.replace("{id_}", id_)
                    for part, value in names.items():
                        at = at.replace(part, value)
                    body = {"hash": found.latest.hash}
                    status, text = asked(client, method, at, json=body, headers={"If-Match": '"1"'})
                    assert status not in (200, 201, 202) or not any(mark in text for mark in marks)
    with shared_door.changes().of("victim", "vic") as made:
        assert stagings.require(made.connection, "victim", staging.id) == staging
        assert api_keys.get(made.connection, theirs.id) == theirs


def test_the_tenant_comes_from_the_key_and_never_from_a_header_or_a_body(shared_door: Door) -> None:
    with shared_door.as_("viewer") as client:
        answer = client.get("/v1/me", headers={"X-Tenant": "victim", "X-Spendgate-Tenant": "victim"})
    assert answer.json()["tenant"] == TENANT


def test_a_key_may_come_in_either_header(shared_door: Door) -> None:
    text = shared_door.key("viewer")
    assert httpx.get(f"{shared_door.url}/v1/me", headers={"X-Api-Key": text}).json()["role"] == "viewer"


def test_a_revoked_key_is_refused_within_two_seconds(shared_door: Door) -> None:
    def refused_s() -> float:
        with shared_door.as_("operator") as operator, shared_door.as_("viewer") as client:
            id_ = client.get("/v1/me").json()["key_id"]
            begun = time.monotonic()
            assert operator.delete(f"/v1/keys/{id_}", params={"why": "leaked"}).status_code == 200
            until(lambda: client.get("/v1/me").status_code == 401, "the key to be refused")
            return time.monotonic() - begun

    in_time(refused_s, 2)


def test_keys_are_made_rotated_and_listed_without_what_proves_them(shared_door: Door) -> None:
    with shared_door.as_("operator", tenant="keys") as operator:
        made = operator.post("/v1/keys", json={"person": "eve", "role": "editor"})
        assert made.status_code == 201
        text, id_ = made.json()["key"], made.json()["about"]["id"]
        rotated = operator.post(f"/v1/keys/{id_}/rotate", json={"overlap_s": 0})
        assert rotated.status_code == 201
        assert rotated.json()["about"]["replaces"] == id_
        listed = operator.get("/v1/keys").text
        assert text not in listed
        assert id_ in listed
        until(lambda: httpx.get(f"{shared_door.url}/v1/me", headers={"X-Api-Key": text}).status_code == 401, "the end")
        bad = operator.post("/v1/keys", json={"person": "two words", "role": "king", "extra": 1})
    assert bad.status_code == 422
    assert {each.get("field") for each in bad.json()["errors"]} == {"person", "role", "extra"}
    assert "two words" not in bad.text


@pytest.mark.parametrize("at", ["9999-12-31T23:59:00-12:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_no_calendar_has_in_utc_is_refused_and_its_field_named(shared_door: Door, at: str) -> None:
    with shared_door.as_("operator") as client:
        key = client.post("/v1/keys", json={"person": "ann", "role": "viewer", "expires_at": at})
        of_part = client.post("/v1/stagings/stg-none/reconcile", json={"to": at})
        decisions = client.get("/v1/decisions", params={"from": at})
        assert client.get("/v1/keys").status_code == 200
    assert (key.status_code, key.json()["errors"][0]["field"]) == (422, "expires_at")
    assert (of_part.status_code, of_part.json()["errors"][0]["field"]) == (422, "to")
    assert decisions.status_code != 500


def test_without_a_provider_nothing_of_it_is_there(shared_door: Door) -> None:
    for path in ("/login/oidc", "/login/oidc/callback", "/login/cli", "/login/cli/token"):
        found = [httpx.request(method, shared_door.url + path).status_code for method in ("GET", "POST")]
        assert found == [404, 404], path
    page = httpx.get(f"{shared_door.url}/login").text
    assert "/login/key" in page
    assert "/login/oidc" not in page


# The doorkeeper by itself, with a clock of its own


class Seconds:
    """A monotonic clock that stands still."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def made(store: Store, role: Role = "viewer") -> str:
    with change(store, "root") as now:
        return api_keys.create(now, "ann", role).text


@pytest.mark.asyncio
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_after_many_wrong_keys_an_address_has_to_wait_and_others_do_not(store: Store) -> None:
    tenant(store)
    good, clock = made(store), Seconds()
    keeper = Doorkeeper(store.database, clock, store.clock)
    assert (await keeper.caller(good, "10.0.0.1")).tenant == "acme"
    for _ in range(ATTEMPTS):
        with pytest.raises(Problem) as wrong:
            await keeper.caller("sgk_nonsense", "10.0.0.1")
        assert wrong.value.status_code == 401
    with pytest.raises(Problem) as wait:
        await keeper.caller("sgk_nonsense", "10.0.0.1")
    assert (wait.value.status_code, wait.value.headers) == (429, {"Retry-After": "61"})
    assert (await keeper.caller(good, "10.0.0.1")).tenant == "acme", "who is known goes on"
    with pytest.raises(Problem) as elsewhere:
        await keeper.caller("sgk_nonsense", "10.0.0.2")
    assert elsewhere.value.status_code == 401
    clock.now += 61
    with pytest.raises(Problem) as later:
        await keeper.caller("sgk_nonsense", "10.0.0.1")
    assert later.value.status_code == 401


@pytest.mark.asyncio
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_while_the_store_is_away_known_keys_go_on_for_a_while_and_new_ones_wait(store: Store) -> None:
    tenant(store)
    known, new, clock = made(store), made(store), Seconds()
    keeper = Doorkeeper(store.database, clock, store.clock)
    await keeper.caller(known, "a")
    keeper.database = Database("sqlite:////nowhere/at/all.db")
    clock.now += 60
    assert (await keeper.caller(known, "a")).person == "ann"
    with pytest.raises(Exception, match="cannot be opened"):
        await keeper.caller(new, "a")
    with pytest.raises(Problem):
        await keeper.caller(known[:-7] + "x" + known[-6:], "a")
    clock.now += 300
    with pytest.raises(Exception, match="cannot be opened"):
        await keeper.caller(known, "a")


@dataclass
class Slow:
    """A database that answers when it is told to, and counts who asks."""

    held: Database
    answering: threading.Event = field(default_factory=threading.Event)
    asked: int = 0

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """See Database."""
        self.asked += 1
        assert self.answering.wait(60)
        with self.held.read() as connection:
            yield connection


@pytest.mark.asyncio
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_many_requests_with_a_key_ask_the_store_once_and_one_that_is_in_use_waits_for_nothing(
    store: Store,
) -> None:
    tenant(store)
    text, clock, slow = made(store), Seconds(), Slow(store.database)
    keeper = Doorkeeper(cast("Database", slow), clock, store.clock)
    first = [asyncio.create_task(keeper.caller(text, "a")) for _ in range(20)]
    await asyncio.sleep(0)
    slow.answering.set()
    assert {caller.person for caller in await asyncio.gather(*first)} == {"ann"}
    assert slow.asked == 1
    slow.answering.clear()
    for _ in range(20):
        clock.now += 0.049
        assert (await keeper.caller(text, "a")).person == "ann"
    slow.answering.set()
    clock.now += 0.5
    await keeper.caller(text, "a")
    assert slow.asked == 2, "the one that was asked ahead, and is waited for"


@pytest.mark.asyncio
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_key_in_constant_use_ends_within_a_second_of_its_revocation(store: Store) -> None:
    tenant(store)
    text, clock = made(store), Seconds()
    keeper = Doorkeeper(store.database, clock, store.clock)
    begun, parts = clock.now, api_keys.parse(text)
    assert parts is not None
    await keeper.caller(text, "a")
    with change(store, "root") as now:
        api_keys.revoke(now, parts.id)
    let_in = 0.0
    with pytest.raises(Problem) as ended:
        while clock.now < begun + 60:
            await keeper.caller(text, "a")
            let_in = clock.now
            clock.now += 0.1
    assert ended.value.status_code == 401
    assert let_in <= begun + BELIEVED_S


@pytest.mark.asyncio
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_key_that_expires_while_it_is_believed_is_not(store: Store) -> None:
    tenant(store)
    with change(store, "root") as now:
        text = api_keys.create(now, "ann", "viewer", store.clock.ms + 1000).text
    keeper = Doorkeeper(store.database, Seconds(), store.clock)
    await keeper.caller(text, "a")
    store.clock.ms += 1000
    with pytest.raises(Problem) as wrong:
        await keeper.caller(text, "a")
    assert wrong.value.status_code == 401
