"""A policy's life over HTTP: drafted, simulated, asked for, approved by another, told to workers, ended."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec

from policy_store.signing import Verifier
from spendgate.model.announcement import Announcement, Document, read_record
from spendgate.model.decision import Position
from spendgate.model.decode import decode_message
from spendgate.model.event import Event
from tests.door.conftest import TENANT, Door, MakeDoor
from tests.live.waiting import until
from tests.oracle.documents import Record, to_ms
from tests.recorded import LOG, record
from tests.stack import OwnKafka
from tests.store.scenes import source

NAME = "marketing-monthly"
YAML = {"Content-Type": "application/yaml"}
FIRST = datetime(2026, 2, 20, tzinfo=UTC)


def months(root: Path, days: int) -> None:
    """A ledger with a call a day."""
    events = [
        Event(id=f"e{n}", source="app", tenant=TENANT, time=FIRST + timedelta(days=n), team="red", cost_nano_usd=10**9)
        for n in range(days)
    ]
    record(root, [Record(Position(*LOG, n, 0), to_ms(event.time), event) for n, event in enumerate(events)])


def draft(client: httpx.Client, cap: str = "500") -> dict[str, Any]:
    answer = client.post("/v1/policies", content=source(cap), headers=YAML)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def move(client: httpx.Client, staging: dict[str, Any], action: str, why: str | None = None) -> httpx.Response:
    tag = {"If-Match": f'"{staging["revision"]}"'}
    return client.post(f"/v1/stagings/{staging['id']}/{action}", json={"why": why}, headers=tag)


def simulated(client: httpx.Client, at: str, json: Any = None) -> dict[str, Any]:
    """A simulation, once it has ended: on a machine that is busy it takes longer than a request may wait."""
    begun = client.post(at, json=json, headers={"Prefer": "wait=25"})
    assert begun.status_code in (200, 202), begun.text
    ended: list[dict[str, Any]] = []

    def has_ended() -> bool:
        ended.append(client.get(begun.headers["location"]).json())
        return ended[-1]["state"] not in ("queued", "running")

    until(has_ended, "the simulation to end")
    return ended[-1]


def test_from_a_draft_to_a_signed_activation(door: Door) -> None:
    months(door.ledger, 60)
    with door.as_("editor", "ann") as ann, door.as_("approver", "bob") as bob, door.as_("approver", "ann") as herself:
        hash_ = draft(ann)["latest"]["hash"]
        at = f"/v1/policies/{NAME}"
        early = ann.post(f"{at}/stagings", json={"hash": hash_})
        assert (early.status_code, early.json()["type"]) == (409, "urn:spendgate:problem:not_simulated")
        found = simulated(ann, f"{at}/versions/{hash_[:12]}/simulations")
        assert (found["full_windows"], found["hash"]) == (1, hash_)
        asked = ann.post(f"{at}/stagings", json={"hash": hash_}).json()
        own = move(herself, asked, "approve")
        assert (own.status_code, own.json()["type"]) == (409, "urn:spendgate:problem:own_work")
        staged = move(bob, asked, "approve", "as agreed with finance")
        assert (staged.json()["state"], staged.json()["decided_by"], staged.json()["alone"]) == ("shadow", "bob", False)
        assert move(bob, asked, "approve").status_code == 412
        until(lambda: len(door.rows()) == 1, "the activation")
        ended = move(bob, staged.json(), "retire")
        assert ended.json()["possible"] == []
    until(lambda: len(door.rows()) == 2, "the end")
    first, second = (
        decode_message(row.key, row.value, row.partition, door.topics.events.partitions).activation
        for row in door.rows()
    )
    assert first is not None
    assert second is not None
    assert (first.action, first.staging, first.hash, second.action) == ("stage", asked["id"], hash_, "end")
    assert all(Verifier([door.signer.public]).is_signed(each) for each in (first, second))
    told = [read_record(row.key, row.value) for row in door.rows("policies")]
    assert [type(entry) for entry in told] == [Document, Announcement, Announcement]


def test_a_history_without_a_full_window_simulates_and_does_not_count(door: Door) -> None:
    months(door.ledger, 20)
    with door.as_("editor") as client:
        hash_ = draft(client)["latest"]["hash"]
        at = f"/v1/policies/{NAME}/versions/{hash_}/simulations"
        assert simulated(client, at)["full_windows"] == 0
        refused = client.post(f"/v1/policies/{NAME}/stagings", json={"hash": hash_})
        assert "at least one full window" in refused.json()["detail"]
        waived = client.post(f"/v1/policies/{NAME}/stagings", json={"hash": hash_, "waiver": "the team is new"})
        assert (waived.status_code, waived.json()["waiver"]) == (201, "the team is new")
        listed = client.get("/v1/stagings", params={"policy": NAME}).json()
        assert [each["state"] for each in listed] == ["submitted"]


def test_an_edit_names_what_was_read_and_is_told_in_words(shared_door: Door) -> None:
    with shared_door.as_("editor", tenant="edits") as client:
        first = draft(client)
        at = f"/v1/policies/{NAME}"
        blind = client.put(at, content=source("600"), headers=YAML)
        stale = client.put(at, content=source("600"), headers={**YAML, "If-Match": '"7"'})
        wrong = client.put(at, content=source("600"), headers={**YAML, "If-Match": "*"})
        assert [answer.status_code for answer in (blind, stale, wrong)] == [428, 412, 412]
        tag = client.get(at).headers["etag"]
        second = client.put(at, content=source("600"), headers={**YAML, "If-Match": tag})
        assert (second.status_code, second.headers["etag"]) == (200, '"2"')
        again = client.post("/v1/policies", content=source("600"), headers=YAML)
        assert again.status_code == 409
        diff = client.get(
            f"{at}/diff", params={"before": first["latest"]["hash"], "after": second.json()["latest"]["hash"]}
        )
        assert "$500" in str(diff.json()["changes"])
        assert "$600" in str(diff.json()["changes"])
        versions = client.get(f"{at}/versions").json()
        assert [each["number"] for each in versions] == [1, 2]
        assert versions[0]["source"] == source()


def test_every_fault_of_a_policy_is_told_with_its_field_and_without_its_value(shared_door: Door) -> None:
    bad = source("a lot").replace("month", "fortnight")
    with shared_door.as_("editor", tenant="faults") as client:
        answer = client.post("/v1/policies", content=bad, headers=YAML)
    assert answer.status_code == 422
    fields = [each["field"] for each in answer.json()["errors"]]
    assert any("cap_usd" in field for field in fields)
    assert "a lot" not in answer.text


def test_settings_are_changed_by_who_has_read_them_and_reach_the_log(door: Door) -> None:
    with door.as_("operator") as client:
        read = client.get("/v1/settings")
        wanted = {"one_person": True, "settings": {"grace_hours": 48}, "why": "late senders"}
        assert client.put("/v1/settings", json=wanted).status_code == 428
        changed = client.put("/v1/settings", json=wanted, headers={"If-Match": read.headers["etag"]})
        assert changed.json()["settings"]["grace_hours"] == 48
        out = client.put("/v1/settings", json={"settings": {"grace_hours": 0}}, headers={"If-Match": '"2"'})
        assert out.status_code == 422
        trail = client.get("/v1/audit").json()
        assert (trail[-1]["action"], trail[-1]["why"]) == ("settings", "late senders")
        assert client.get("/v1/audit/verify").json()["whole"] is True
    until(lambda: len(door.rows()) == 1, "the activation")
    found = msgspec.json.decode(door.rows()[0].value)
    assert found["settings"] == {"grace_hours": 48}


def test_what_is_approved_while_kafka_is_away_is_told_when_it_is_back(make_door: MakeDoor, own_kafka: OwnKafka) -> None:
    broker = own_kafka()
    door = make_door(broker.bootstrap)
    broker.pause()
    with door.as_("editor", "ann") as ann, door.as_("approver", "bob") as bob:
        hash_ = draft(ann)["latest"]["hash"]
        asked = ann.post(f"/v1/policies/{NAME}/stagings", json={"hash": hash_, "waiver": "the team is new"}).json()
        assert move(bob, asked, "approve").json()["state"] == "shadow"
    broker.resume()
    until(lambda: len(door.rows()) >= 1, "the activation")
    assert {msgspec.json.decode(row.value)["staging"] for row in door.rows()} == {asked["id"]}


def test_a_door_that_is_killed_in_the_middle_tells_workers_after_all(make_door: MakeDoor, own_kafka: OwnKafka) -> None:
    broker = own_kafka()
    door = make_door(broker.bootstrap)
    broker.pause()
    with door.as_("editor", "ann") as ann, door.as_("approver", "bob") as bob:
        hash_ = draft(ann)["latest"]["hash"]
        asked = ann.post(f"/v1/policies/{NAME}/stagings", json={"hash": hash_, "waiver": "the team is new"}).json()
        move(bob, asked, "approve")
    door.stop(kill=True)
    broker.resume()
    door.start()
    until(lambda: len(door.rows()) >= 1, "the activation")
