"""Alerts of a real door: from decisions to a receiver, each once; targets managed by operators alone."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import select, update

from dev.ports import free_port
from dev.stack import Stack
from policy_store.tables import alert_deliveries
from spendgate.model.alert import AlertMessage
from spendgate.model.decision import Decision
from tests.door.conftest import Door, make
from tests.door.receiver import Receiver, Says, receiving
from tests.door.test_commands import run
from tests.door.test_end_to_end import door_onto, send, settle, stage
from tests.live.conftest import make_world, world
from tests.live.samples import budget, calls, policy
from tests.live.waiting import until
from tests.live.world import World
from tests.store.decided import decision, message, over

__all__ = ["make_world", "world"]

LIFETIME = policy("lifetime", budget("0.4", {"lifetime": True}, ["team"], warn_at_percent=[50, 80]))
ALLOW = {"SPENDGATE_ALERTS_ALLOW": "127.0.0.1"}
HIDDEN = "a-path-that-is-a-secret"


@pytest.fixture(scope="module")
def door(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A door that has decisions to follow, and may send to this machine."""
    made = make(stack.bootstrap, tmp_path_factory.mktemp("door"))
    made.start(**ALLOW)
    yield made
    made.close()


def decide(door: Door, tenant: str, *numbers: int) -> None:
    """Decisions over the cap of a counter, one counter for each number, decided now."""
    found = [
        decision(number, over(counter=f"team={number}"), tenant=tenant, at=datetime.now(UTC)) for number in numbers
    ]
    door.broker.send(door.topics.decisions, tenant.encode(), message(*found))
    door.broker.flush()


def history(client: httpx.Client, **wanted: Any) -> list[dict[str, Any]]:
    answer = client.get("/v1/alerts", params=wanted)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["alerts"]
    return found


def add(client: httpx.Client, receiver: Receiver, name: str = "ops", **wanted: Any) -> dict[str, Any]:
    body = {"name": name, "kind": "webhook", "url": receiver.url(f"/{HIDDEN}"), **wanted}
    answer = client.post("/v1/alerts/targets", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert HIDDEN not in answer.text
    return found


def sent(client: httpx.Client) -> bool:
    return all(each["state"] == "sent" for alert in history(client) for each in alert["deliveries"])


def test_what_crosses_is_told_once_to_whoever_wants_it_and_stands_in_the_history(door: Door) -> None:
    with receiving() as receiver, door.as_("operator", "op", "told") as op, door.as_("viewer", "eve", "told") as eve:
        made = add(op, receiver)
        add(op, receiver, "caps-of-others", policies=["other-*"])
        add(op, receiver, "off", kinds=["gate_lost"])
        decide(door, "told", 1, 2, 2, 1)
        decide(door, "told", 2, 3)
        until(lambda: len(history(eve)) == 3, "the history")
        until(lambda: len(receiver.got) == 3 and sent(eve), "the messages")
        assert made["secret"].startswith("whsec_")
        found = history(eve, policy="cap", kind="cap")
        assert {each["id"] for each in found} == set(receiver.ids())
        assert [[one["target"] for one in each["deliveries"]] for each in found] == [["ops"]] * 3
        body = msgspec.json.decode(receiver.got[0].body, type=AlertMessage)
        assert (body.type, body.data.tenant, body.data.verdict) == ("alert.cap", "told", "review")
        assert body.data.words.startswith("cap: over the cap of $5.00 for team=")
        first = eve.get("/v1/alerts", params={"limit": 2}).json()
        rest = eve.get("/v1/alerts", params={"limit": 2, "after": first["next"]}).json()
        assert (first["alerts"] + rest["alerts"], rest["next"]) == (found, None)
        assert eve.get(f"/v1/alerts/{found[0]['id']}").json() == found[0]
        assert eve.get("/v1/alerts", params={"after": "nonsense"}).json()["errors"][0]["field"] == "after"
        assert history(eve, policy="other") == []
        numbers = httpx.get(f"{door.url}/metrics").text
        assert 'spendgate_alert_attempts_total{result="sent",target="webhook"}' in numbers
        assert 'spendgate_alerts_raised_total{kind="cap"}' in numbers


def test_targets_are_an_operators_and_change_by_revision(door: Door) -> None:
    with receiving() as receiver, door.as_("operator", "op", "kept") as op, door.as_("viewer", "eve", "kept") as eve:
        made = add(op, receiver)
        at = "/v1/alerts/targets/ops"
        assert [each["name"] for each in op.get("/v1/alerts/targets").json()] == ["ops"]
        assert (op.get(at).headers["etag"], op.get(at).json()) == ('"1"', made["about"])
        assert op.post("/v1/alerts/targets", json={**NEW, "name": "ops"}).status_code == 409
        edit = {"policies": ["m-*"], "kinds": ["threshold"], "from_percent": 80}
        assert op.patch(at, json=edit).status_code == 428
        edited = op.patch(at, json=edit, headers={"If-Match": '"1"'})
        assert (edited.status_code, edited.headers["etag"]) == (200, '"2"')
        assert edited.json() == {**made["about"], **edit, "revision": 2}
        assert op.patch(at, json=edit, headers={"If-Match": '"1"'}).status_code == 412
        rotated = op.post(f"{at}/rotate", json={"overlap_s": 60}, headers={"If-Match": '"2"'}).json()
        assert rotated["secret"] not in (None, made["secret"])
        assert rotated["about"]["signed_with_both_until"] is not None
        assert op.post(f"{at}/test").json()["delivered"] is True
        assert len(receiver.got[0].headers["webhook-signature"].split()) == 2
        receiver.answering = lambda _: Says(503)
        assert op.post(f"{at}/test").json() | {"took_ms": 0} == {
            "delivered": False, "status": 503, "problem": "it answered 503", "took_ms": 0,
        }  # fmt: skip
        for method, path, body in (
            ("GET", at, None), ("GET", "/v1/alerts/targets", None), ("POST", "/v1/alerts/targets", NEW),
            ("PATCH", at, edit), ("DELETE", at, None), ("POST", f"{at}/rotate", {}), ("POST", f"{at}/test", None),
            ("POST", "/v1/alerts/alr-1/deliveries/ops/resend", None),
        ):  # fmt: skip
            assert eve.request(method, path, json=body, headers={"If-Match": '"3"'}).status_code == 403, path
        assert op.delete(at, headers={"If-Match": '"3"'}).status_code == 200
        assert op.get("/v1/alerts/targets").json() == []


NEW = {"name": "new", "kind": "webhook", "url": "https://example.com/alerts"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "http://8.8.8.8/"}, "url"),
        ({"url": "https://169.254.169.254/latest/meta-data"}, "url"),
        ({"url": "not a url"}, "url"),
        ({"kind": "pager"}, "kind"),
        ({"policies": ["two words"]}, "policies.0"),
        ({"kinds": ["everything"]}, "kinds.0"),
        ({"from_percent": 0}, "from_percent"),
        ({"prompt": "x"}, "prompt"),
        ({"name": "two words"}, "name"),
    ],
)
def test_what_is_wrong_with_a_target_is_named_and_not_repeated(door: Door, change: dict[str, Any], field: str) -> None:
    with door.as_("operator", "op", "wrong") as op:
        answer = op.post("/v1/alerts/targets", json={**NEW, **change})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
        assert all(
            str(value) not in answer.text for value in change.values() if isinstance(value, str) and len(value) > 8
        )


def test_no_tenant_sees_or_moves_anything_of_another(door: Door) -> None:
    with receiving() as receiver, door.as_("operator", "v", "victim") as vic, door.as_("operator", "s", "spy") as spy:
        add(vic, receiver)
        decide(door, "victim", 1)
        until(lambda: len(history(vic)) == 1 and sent(vic), "the alert")
        (theirs,) = history(vic)
        assert history(spy) == spy.get("/v1/alerts/targets").json() == []
        match = {"If-Match": '"1"'}
        for method, path, body in (
            ("GET", f"/v1/alerts/{theirs['id']}", None), ("GET", "/v1/alerts/targets/ops", None),
            ("PATCH", "/v1/alerts/targets/ops", {"enabled": False}), ("DELETE", "/v1/alerts/targets/ops", None),
            ("POST", "/v1/alerts/targets/ops/rotate", {}), ("POST", "/v1/alerts/targets/ops/test", None),
            ("POST", f"/v1/alerts/{theirs['id']}/deliveries/ops/resend", None),
        ):  # fmt: skip
            assert spy.request(method, path, json=body, headers=match).status_code == 404, path
        add(spy, receiver, "ops")
        assert spy.post(f"/v1/alerts/{theirs['id']}/deliveries/ops/resend").status_code == 404
        assert len(receiver.got) == 1
        assert history(vic) == [theirs]


def test_events_through_a_door_that_is_killed_and_a_worker_make_exactly_one_alert_a_crossing(
    world: World, tmp_path: Path
) -> None:
    door = door_onto(world, tmp_path, **ALLOW)
    try:
        with receiving() as receiver, door.as_("operator") as op:
            add(op, receiver)
            add(op, receiver, "chat", kind="slack", kinds=["cap"])
            world.worker(SPENDGATE_DEV="", SPENDGATE_STORE_KEYS=door.signer.public)
            stage(door, world, LIFETIME)
            for seed in range(4):
                send(door, calls(80, seed, "acme"))
                if seed == 1:
                    until(lambda: receiver.got, "the first alert")
                    door.stop(kill=True)
                    dead = holders(door)
                    door.start(**ALLOW)
            settle(door, world)
            wanted = crossed(world.verify().decisions.values())
            assert len({percent for *_, percent in wanted}) == 3, "both thresholds, and caps"
            until(lambda: len(history(op, limit=1000)) == len(wanted) and not due(door), "the alerts")
            with door.database.begin() as connection:  # time passes: what the dead one had under its lease
                of_the_dead = alert_deliveries.c.holder.in_(dead)
                connection.execute(update(alert_deliveries).where(of_the_dead).values(until_ms=0))
            until(lambda: sent(op), "the messages")
            check(receiver, history(op, limit=1000), wanted)
    finally:
        door.stop(kill=True)
        door.database.close()
    assert all(HIDDEN not in each.read_text() for each in tmp_path.glob("door-*.log"))
    assert all(HIDDEN.encode() not in each.read_bytes() for each in tmp_path.glob("store.db*"))


def holders(door: Door) -> set[str]:
    """Who has deliveries under a lease."""
    held = select(alert_deliveries.c.holder).where(alert_deliveries.c.holder.is_not(None))
    with door.database.read() as connection:
        return set(connection.execute(held).scalars())


def due(door: Door) -> int:
    """How many deliveries wait under no lease."""
    free = (alert_deliveries.c.state == "waiting", alert_deliveries.c.holder.is_(None))
    with door.database.read() as connection:
        return len(connection.execute(select(alert_deliveries.c.alert).where(*free)).all())


Crossed = set[tuple[str, str | None, int | None]]


def check(receiver: Receiver, found: list[dict[str, Any]], wanted: Crossed) -> None:
    """Each is in the history once, and was sent once, or twice if it was under way when the door died."""
    assert {(each["staging"], each["counter"], each["threshold_percent"]) for each in found} == wanted
    signed = [each.headers["webhook-id"] for each in receiver.got if "webhook-id" in each.headers]
    assert set(signed) == {each["id"] for each in found}
    caps = [each["id"] for each in found if each["kind"] == "cap"]
    chat = [json.loads(each.body) for each in receiver.got if "webhook-id" not in each.headers]
    assert {id_ for id_ in caps if any(id_ in each["blocks"][-1]["elements"][0]["text"] for each in chat)} == set(caps)
    assert len(signed) - len(found) + len(chat) - len(caps) <= 2


def crossed(owed: Iterable[Decision]) -> Crossed:
    """What the decisions of a replay of the log cross, within their one window."""
    return {
        (each.staging, each.counter, percent)
        for one in owed
        for each in one.reasons
        for percent in (*each.alerts, *([None] if each.code == "over_cap" else []))
    }


# By command


def test_alerts_and_their_targets_are_worked_by_commands(door: Door) -> None:
    env = {
        role: {"SPENDGATE_URL": door.url, "SPENDGATE_API_KEY": door.key(role, role, "cli")}
        for role in ("operator", "viewer")
    }
    op, eve = env["operator"], env["viewer"]
    with receiving() as receiver:
        made = run("alert", "target", "add", "ops", "-", "--from-percent", "80", stdin=receiver.url() + "\n", env=op)
        assert "whsec_" in made
        assert "role operator" in run("alert", "target", "list", env=eve, code=4)
        assert "expected a public" in run("alert", "target", "add", "x", "https://10.0.0.1/", env=op, code=2)
        assert run("alert", "target", "test", "ops", env=op).startswith("delivered: ops answered 200 in ")
        assert run("alert", "list", env=eve) == "there is none\n"
        decide(door, "cli", 1, 2)
        with door.as_("viewer", "eve", "cli") as viewer:
            until(lambda: len(history(viewer)) == 2 and sent(viewer), "the alerts")
            first = history(viewer)[0]["id"]
        shown = run("alert", "list", env=eve)
        assert first[:12] in shown
        assert "ops (sent)" in shown
        assert "ops: sent (1 attempt)" in run("alert", "show", first[:12], env=eve)
        assert json.loads(run("alert", "show", first, "--json", env=eve))["id"] == first
        assert len(run("alert", "list", "--kind", "cap", "--limit", "1", "--json", env=eve).splitlines()) == 1
        assert "kind" in run("alert", "list", "--kind", "all", env=eve, code=2)
        assert run("alert", "resend", first[:12], "ops", env=op).startswith("waiting: ")
        until(lambda: receiver.ids().count(first) == 2, "the alert again")
        assert "0 begin so" in run("alert", "resend", "alr-none", "ops", env=op, code=2)
        assert run("alert", "target", "edit", "ops", "--off", "--alert", "cap", env=op).startswith("off: ops")
        assert "expected one that is enabled" in run("alert", "resend", first, "ops", env=op, code=4)
        assert run("alert", "target", "edit", "ops", "--on", "--alert", "all", env=op).startswith("on: ops")
        again = json.loads(run("alert", "target", "rotate", "ops", "--overlap", "1", "--json", env=op))
        assert again["about"]["kinds"] == []
        assert "80 %" in run("alert", "target", "list", env=op)
    run("alert", "target", "edit", "ops", "--url", f"http://127.0.0.1:{free_port()}/", env=op)
    assert "no connection could be made" in run("alert", "target", "test", "ops", env=op, code=3)
    assert run("alert", "target", "remove", "ops", env=op) == "removed: ops\n"
    assert run("alert", "target", "list", env=op) == "there is none\n"
