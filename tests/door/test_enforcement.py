"""Gate, certificate and flag over HTTP, on a real door: who may, what is refused, what it says in words."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from policy_store.enforcement import SYSTEM
from spendgate.model.activation import Activation
from spendgate.model.decode import decode_message
from spendgate.reconcile.certificate import Wanted, verify
from spendgate.reconcile.public_keys import PublicKeys
from tests.door.conftest import TENANT, Door, MakeDoor
from tests.door.proven import ask, confirm, enforced, record, staged, turn_on
from tests.live.waiting import until
from tests.stack import OwnKafka, OwnRedis

SHADOW_ONLY = ["Shadow only: nothing is blocked."]


@pytest.fixture(scope="module")
def door(shared_door: Door) -> Door:
    """A door whose installation is run by the tenant acme, the global flag on."""
    shared_door.stop()
    shared_door.start(SPENDGATE_HOME_TENANT=TENANT)
    turn_on(shared_door, TENANT, "global")
    return shared_door


@pytest.fixture
def tenant(request: pytest.FixtureRequest) -> str:
    """A tenant of the test's own."""
    return f"t-{abs(hash(request.node.name)) % 10**9}"


def status(door: Door, tenant: str) -> dict[str, Any]:
    with door.as_("viewer", "eve", tenant) as eve:
        found: dict[str, Any] = eve.get("/v1/enforcement").json()
        return found


def told(door: Door, tenant: str) -> list[Activation]:
    """The tenant's activations in the log; one that is told again is void."""
    found = [decode_message(r.key, r.value, r.partition, door.topics.events.partitions) for r in door.rows()]
    told = [each.activation for each in found if each.activation is not None and each.tenant == tenant]
    return list({each.id: each for each in told}.values())


def test_an_operator_asks_for_a_round_once_and_everybody_sees_what_comes_of_it(door: Door, tenant: str) -> None:
    staging = staged(door, tenant)
    path = f"/v1/stagings/{staging}/reconcile"
    with door.as_("operator", "cat", tenant) as cat, door.as_("viewer", "eve", tenant) as eve:
        assert eve.post(path, json={}).status_code == 403
        assert cat.post("/v1/stagings/stg-none/reconcile", json={}).status_code == 404
        turned = {"from": "2026-11-02T00:00:00Z", "to": "2026-11-01T00:00:00Z"}
        assert cat.post(path, json=turned).status_code == 422
        first = cat.post(path, json={})
        assert (first.status_code, first.json()["state"], first.json()["asked_by"]) == (202, "waiting", "cat")
        assert cat.post(path, json={}).json()["id"] == first.json()["id"]
        part = cat.post(path, json={"from": turned["to"]}).json()
        assert (part["from"], part["to"]) == (turned["to"], None)
        assert {each["id"] for each in eve.get(path).json()} == {first.json()["id"], part["id"]}


def test_from_shadow_to_enforced_and_back_and_the_log_has_it(door: Door, tenant: str) -> None:
    assert status(door, tenant)["words"] == SHADOW_ONLY
    staging = staged(door, tenant)
    turn_on(door, tenant, "tenant")
    with door.as_("operator", "cat", tenant) as cat, door.as_("operator", "dan", tenant) as dan:
        early = ask(cat, "policy", staging)
        assert (early.status_code, early.json()["type"]) == (409, "urn:spendgate:problem:gate_shut")
        round_ = record(door, tenant, staging)
        asked = ask(cat, "policy", staging, share={"by": "team", "percent": 10})
        (waits,) = status(door, tenant)["requests"]
        assert (waits["asked_by"], waits["share"]) == ("cat", {"by": "team", "percent": 10, "owners": None})
        alone = confirm(cat, asked)
        assert (alone.status_code, alone.json()["type"]) == (409, "urn:spendgate:problem:own_request")
        assert status(door, tenant)["words"] == SHADOW_ONLY
        done = confirm(dan, asked).json()
        assert (done["on"], done["asked_by"], done["changed_by"]) == (True, "cat", "dan")
        found = status(door, tenant)
        assert found["levels"] == {"everywhere": True, "tenant": True}
        (words,) = found["words"]
        assert words.startswith(f"Enforced: marketing-monthly ({staging}) for 10 % of calls by team, since 20")
        assert words.endswith(f"asked for by cat, confirmed by dan, on certificate {done['certificate']}.")
        assert cat.get(f"/v1/reconciliations/{round_.id}").json()["about"]["gate"] == "ready"
        off = cat.post("/v1/enforcement/off", json={"level": "policy", "staging": staging, "why": "a fault"}).json()
        assert off["demoted"] == [staging]
        assert status(door, tenant)["words"] == SHADOW_ONLY
        assert cat.get(f"/v1/stagings/{staging}/gate").json()["state"] == "observing"
    until(lambda: len(told(door, tenant)) == 3, "the records")
    first, second, third = told(door, tenant)
    assert [each.action for each in (first, second, third)] == ["stage", "enforce", "demote"]
    assert second.share is not None


def test_viewers_read_and_only_operators_turn(door: Door, tenant: str) -> None:
    staging = staged(door, tenant)
    for role in ("viewer", "editor", "approver", "ingest"):
        with door.as_(role, "eve", tenant) as eve:
            reads = eve.get(f"/v1/stagings/{staging}/gate").status_code
            assert reads == (403 if role == "ingest" else 200)
            assert ask(eve, "tenant").status_code == 403
            assert eve.post("/v1/enforcement/off", json={"level": "tenant", "why": "stop"}).status_code == 403
            assert eve.post(f"/v1/stagings/{staging}/waivers", json={}).status_code == 403
            assert eve.put("/v1/gate/criteria", json={}).status_code == 403


def test_the_global_flag_is_turned_by_operators_of_the_home_tenant_alone(door: Door, tenant: str) -> None:
    staging = enforced(door, tenant)
    with door.as_("operator", "cat", tenant) as cat:
        for answer in (ask(cat, "global"), cat.post("/v1/enforcement/off", json={"level": "global", "why": "stop"})):
            assert (answer.status_code, answer.json()["type"]) == (403, "urn:spendgate:problem:not_allowed")
            assert "SPENDGATE_HOME_TENANT" in answer.json()["detail"]
    with door.as_("operator", "root") as root:
        off = root.post("/v1/enforcement/off", json={"level": "global", "why": "everything stops"}).json()
        assert [each["level"] for each in off["flags"]] == ["global"]
        assert staging in off["demoted"]
        assert status(door, tenant)["words"] == SHADOW_ONLY
    turn_on(door, TENANT, "global")
    assert status(door, tenant)["words"] == SHADOW_ONLY


def test_the_gate_shows_every_criterion_and_what_is_missing(door: Door, tenant: str) -> None:
    staging = staged(door, tenant)
    with door.as_("viewer", "eve", tenant) as eve:
        nothing = eve.get(f"/v1/stagings/{staging}/gate").json()
        assert (nothing["state"], nothing["round"]) == ("observing", None)
        earliest = datetime.fromisoformat(nothing["ready_at_earliest"])
        assert earliest > datetime.now(UTC)
        record(door, tenant, staging, differing=2)
        shut = eve.get(f"/v1/stagings/{staging}/gate").json()
        assert shut["state"] == "blocked"
        assert [each["name"] for each in shut["criteria"]] == [each["name"] for each in nothing["criteria"]]
        assert shut["missing"] == [
            "calls on which shadow and replay do not agree: 2, asked for: at most 0 calls",
        ]
        assert eve.get(f"/v1/stagings/{staging}/certificate").status_code == 404
        record(door, tenant, staging)
        assert eve.get(f"/v1/stagings/{staging}/gate").json()["state"] == "ready"
        listed = eve.get("/v1/reconciliations", params={"staging": staging, "limit": 1}).json()
        rest = eve.get("/v1/reconciliations", params={"staging": staging, "before": listed["next"]}).json()
        assert [each["outcome"] for each in listed["reconciliations"] + rest["reconciliations"]] == ["pass", "fail"]
        assert rest["next"] is None
        whole = eve.get(f"/v1/reconciliations/{rest['reconciliations'][0]['id']}").json()
        assert whole["result"]["staging"] == staging
    with door.as_("viewer", "eve", f"{tenant}-other") as other:
        assert other.get(f"/v1/stagings/{staging}/gate").status_code == 404
        assert other.get(f"/v1/reconciliations/{whole['about']['id']}").status_code == 404


def test_a_certificate_is_given_to_the_byte_and_verifies_with_the_public_key_alone(door: Door, tenant: str) -> None:
    staging = staged(door, tenant)
    record(door, tenant, staging)
    with door.as_("viewer", "eve", tenant) as eve:
        found = eve.get(f"/v1/stagings/{staging}/certificate").json()
        raw = eve.get(f"/v1/certificates/{found['id']}").content
    assert (found["holds"], found["refused"], found["text"].encode()) == (True, None, raw)
    keys, wanted = PublicKeys([door.signer.public]), Wanted(tenant=tenant, staging=staging)
    assert verify(raw, keys, datetime.now(UTC), wanted) is None
    assert json.loads(raw)["reconciliation"] == found["reconciliation"]
    with door.as_("viewer", "eve", f"{tenant}-other") as other:
        assert other.get(f"/v1/certificates/{found['id']}").status_code == 404


def test_criteria_are_changed_within_limits_by_whoever_has_read_them(door: Door, tenant: str) -> None:
    staging = staged(door, tenant)
    record(door, tenant, staging)
    with door.as_("operator", "cat", tenant) as cat:
        read = cat.get("/v1/gate/criteria")
        assert (read.headers["etag"], read.json()["revision"]) == ('"0"', 0)
        wanted = {"rules": {"near_cap_percent": 10}, "why": "closer to the cap"}
        assert cat.put("/v1/gate/criteria", json=wanted).status_code == 428
        tag = {"If-Match": read.headers["etag"]}
        changed = cat.put("/v1/gate/criteria", json=wanted, headers=tag)
        assert (changed.json()["rules"]["near_cap_percent"], changed.headers["etag"]) == (10, '"1"')
        assert cat.put("/v1/gate/criteria", json=wanted, headers=tag).status_code == 412
        out = cat.put("/v1/gate/criteria", json={**wanted, "rules": {"hours": 0}}, headers={"If-Match": '"1"'})
        assert (out.status_code, out.json()["errors"][0]["field"]) == (422, "rules.hours")
        assert cat.get(f"/v1/stagings/{staging}").json()["state"] == "shadow"
        trail = cat.get("/v1/audit", params={"limit": 1000}).json()
    row = next(each for each in trail if each["action"] == "criteria")
    assert (row["before"], row["after"], row["who"]) == (
        '{"near_cap_percent": 20}', '{"near_cap_percent": 10}', "cat",
    )  # fmt: skip


def test_a_waiver_is_recorded_counts_and_is_taken_back(door: Door, tenant: str) -> None:
    staging = staged(door, tenant)
    record(door, tenant, staging, bill=None)
    with door.as_("operator", "cat", tenant) as cat:
        at = f"/v1/stagings/{staging}/waivers"
        assert cat.post(at, json={"criterion": "counters", "why": "never mind"}).status_code == 422
        given = cat.post(at, json={"criterion": "bill", "why": "a flat fee"})
        assert given.status_code == 201
        gate = cat.get(f"/v1/stagings/{staging}/gate").json()
        assert [gate["state"], *(each["waiver"] for each in gate["criteria"] if each["name"] == "bill")] == [
            "ready", "a flat fee",
        ]  # fmt: skip
        assert cat.get(f"/v1/stagings/{staging}").json()["state"] == "reconciled"
        ended = cat.delete(f"/v1/waivers/{given.json()['id']}", params={"why": "they bill now"}).json()
        assert (ended["ended_by"], cat.get(f"/v1/stagings/{staging}").json()["state"]) == ("cat", "shadow")
        assert [each["id"] for each in cat.get(at).json()] == [ended["id"]]


@pytest.mark.parametrize(
    "wanted",
    [
        {"level": "policy", "why": "no staging"},
        {"level": "tenant", "staging": "stg-1", "why": "a staging too many"},
        {"level": "tenant", "why": "a share too many", "share": {"by": "team", "percent": 5}},
        {"level": "policy", "staging": "stg-1", "why": "neither", "share": {"by": "team"}},
        {"level": "policy", "staging": "stg-1", "why": "both", "share": {"by": "team", "percent": 5, "owners": ["a"]}},
        {"level": "policy", "staging": "stg-1", "why": "no field", "share": {"by": "shoe_size", "percent": 5}},
        {"level": "policy", "staging": "stg-1", "why": "over", "share": {"by": "team", "percent": 101}},
        {"level": "planet", "why": "no level"},
        {"level": "tenant"},
    ],
)
def test_a_request_that_contradicts_itself_is_refused(door: Door, wanted: dict[str, Any]) -> None:
    with door.as_("operator", "cat") as cat:
        answer = cat.post("/v1/enforcement/requests", json=wanted)
    assert (answer.status_code, bool(answer.json()["errors"])) == (422, True)


def test_withdrawn_requests_are_listed_and_cannot_be_confirmed(door: Door, tenant: str) -> None:
    staged(door, tenant)
    with door.as_("operator", "cat", tenant) as cat, door.as_("operator", "dan", tenant) as dan:
        asked = ask(cat, "tenant")
        taken = dan.post(f"/v1/enforcement/requests/{asked.json()['id']}/withdraw", json={"why": "not yet"})
        assert (taken.json()["state"], taken.json()["decided_by"]) == ("withdrawn", "dan")
        late = confirm(dan, asked)
        assert (late.status_code, late.json()["type"]) == (409, "urn:spendgate:problem:request_withdrawn")
        assert [each["state"] for each in cat.get("/v1/enforcement/requests").json()] == ["withdrawn"]
        assert dan.post("/v1/enforcement/requests/flip-none/confirm", json={}).status_code == 404


def test_where_there_is_one_tenant_its_operators_turn_everything(make_door: MakeDoor) -> None:
    alone = make_door()
    turn_on(alone, TENANT, "global")
    enforced(alone, TENANT)
    assert len(status(alone, TENANT)["enforced"]) == 1
    alone.key("viewer", tenant="another")
    with alone.as_("operator", "cat") as cat:
        assert ask(cat, "global").status_code == 403
        assert cat.post("/v1/enforcement/off", json={"level": "tenant", "why": "stop"}).status_code == 200
    assert status(alone, TENANT)["words"] == SHADOW_ONLY


def test_off_needs_neither_kafka_nor_redis_and_on_is_refused_without_redis(
    make_door: MakeDoor, own_kafka: OwnKafka, own_redis: OwnRedis
) -> None:
    kafka, redis = own_kafka(), own_redis()
    door = make_door(kafka.bootstrap, SPENDGATE_REDIS=redis.url)
    turn_on(door, TENANT, "global")
    staging = enforced(door, TENANT)
    with door.as_("operator", "cat") as cat, door.as_("operator", "dan") as dan:
        waits = ask(cat, "policy", staging, share={"by": "team", "percent": 5})
        kafka.kill()
        redis.kill()
        for refused in (ask(cat, "tenant"), confirm(dan, waits)):
            assert (refused.status_code, refused.json()["type"]) == (503, "urn:spendgate:problem:redis_away")
        off = cat.post("/v1/enforcement/off", json={"level": "policy", "staging": staging, "why": "a fault"})
        assert off.json()["demoted"] == [staging]
        assert cat.get("/v1/enforcement").json()["words"] == SHADOW_ONLY


def test_a_certificate_that_runs_out_demotes_by_itself(door: Door, tenant: str) -> None:
    staging = enforced(door, tenant)
    with door.database.begin() as connection:
        connection.execute(text("UPDATE flags SET certificate = NULL WHERE subject = :id"), {"id": staging})
    until(lambda: status(door, tenant)["words"] == SHADOW_ONLY, "the way back")
    with door.as_("operator", "cat", tenant) as cat:
        rows = cat.get("/v1/audit", params={"limit": 1000}).json()
    assert [(each["who"], each["why"]) for each in rows if each["action"] == "demote"] == [
        (SYSTEM, "there is no certificate"),
    ]  # fmt: skip
