"""The review queue of a real door: what stands on ``spend.decisions`` waits there once, and is answered once."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import msgspec
import pytest

from dev.stack import Stack
from policy_store import audit, reviews
from policy_store.api_keys import Role
from policy_store.asked_reviews import asked
from spendgate.model.review import ReviewRecord
from tests.door.browser import Browser
from tests.door.conftest import TENANT, Door, make
from tests.door.test_commands import run
from tests.live.waiting import until
from tests.store.decided import decision, message, over, reason


@pytest.fixture(scope="module")
def door(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A door that has decisions to follow."""
    made = make(stack.bootstrap, tmp_path_factory.mktemp("door"))
    made.broker.create([made.topics.reviews])
    made.start()
    yield made
    made.close()


def decide(door: Door, *numbers: int, tenant: str = TENANT) -> None:
    """Decisions that want a review, as a worker writes them."""
    found = [decision(number, over(), tenant=tenant) for number in numbers]
    door.broker.send(door.topics.decisions, tenant.encode(), message(*found))
    door.broker.flush()


def queue(client: httpx.Client, **wanted: Any) -> list[dict[str, Any]]:
    answer = client.get("/v1/reviews", params=wanted)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["reviews"]
    return found


def move(client: httpx.Client, review: dict[str, Any], action: str, **body: Any) -> httpx.Response:
    tag = {"If-Match": f'"{review["revision"]}"'}
    return client.post(f"/v1/reviews/{review['id']}/{action}", headers=tag, json=body)


def told(door: Door) -> dict[str, ReviewRecord]:
    """What stands on ``spend.reviews``, by review."""
    rows = door.rows("reviews")
    assert {row.key for row in rows} <= {b"acme", b"life", b"cli", b"settles"}
    found = [msgspec.json.decode(row.value, type=ReviewRecord) for row in rows]
    assert len(found) == len({each.review_id for each in found})
    return {each.review_id: each for each in found}


def test_a_would_be_review_is_claimed_answered_and_told(door: Door) -> None:
    decide(door, 1, 2, tenant="life")
    with door.as_("approver", "bob", "life") as bob, door.as_("approver", "cat", "life") as cat:
        until(lambda: len(queue(bob)) == 2, "the queue")
        first, second = queue(bob)
        assert (first["owner"], first["state"], first["expires_at"]) == ({"team": "red"}, "open", None)
        assert first["words"][0].startswith("cap: over the cap of $5.00 for team=red")
        claimed = move(bob, first, "claim")
        assert (claimed.status_code, claimed.headers["etag"]) == (200, '"2"')
        assert move(cat, first, "claim").status_code == 412
        held = move(cat, claimed.json(), "approve")
        assert (held.status_code, held.json()["type"]) == (409, "urn:spendgate:problem:claimed")
        assert "somebody else has claimed it" in held.json()["detail"]
        assert move(bob, claimed.json(), "refuse").status_code == 422, "a refusal says why"
        refused = move(bob, claimed.json(), "refuse", note="too dear").json()
        assert (refused["state"], refused["outcome"], refused["decided_by"], refused["possible"]) == (
            "refused", "refuse", "bob", [],
        )  # fmt: skip
        assert move(cat, second, "approve").json()["state"] == "approved"
        assert [each["state"] for each in queue(bob)] == ["refused", "approved"]
        assert queue(bob, state="open") == queue(bob, policy="other") == queue(bob, reviewers="leads") == []
        assert bob.post(f"/v1/reviews/{first['id']}/claim").status_code == 428
    until(lambda: {first["id"], second["id"]} <= told(door).keys(), "the records")
    assert told(door)[first["id"]].answered_by == "bob"
    with door.database.read() as connection:
        assert [each.action for each in audit.entries(connection, "life")][-3:] == ["claim", "refuse", "approve"]


def test_pages_end_and_a_cursor_that_is_none_is_told(door: Door) -> None:
    decide(door, *range(10, 15), tenant="pages")
    with door.as_("viewer", "eve", "pages") as eve:
        until(lambda: len(queue(eve)) == 5, "the queue")
        first = eve.get("/v1/reviews", params={"limit": 3}).json()
        rest = eve.get("/v1/reviews", params={"limit": 3, "after": first["next"]}).json()
        assert [each["id"] for each in first["reviews"] + rest["reviews"]] == [each["id"] for each in queue(eve)]
        assert rest["next"] is None
        bad = eve.get("/v1/reviews", params={"after": "nonsense"})
        assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "after")
        assert "nonsense" not in bad.text
        assert move(eve, rest["reviews"][0], "claim").status_code == 403


def test_no_tenant_sees_or_moves_a_review_of_another(door: Door) -> None:
    decide(door, 20, tenant="victim")
    with door.as_("approver", "vic", "victim") as vic, door.as_("approver", "spy", "spy") as spy:
        until(lambda: len(queue(vic)) == 1, "the queue")
        (theirs,) = queue(vic)
        assert queue(spy) == []
        assert spy.get(f"/v1/reviews/{theirs['id']}").status_code == 404
        for action in ("claim", "release", "approve", "refuse"):
            assert move(spy, theirs, action, **({"note": "mine now"} if action == "refuse" else {})).status_code == 404
        assert queue(vic) == [{**theirs, "age_s": queue(vic)[0]["age_s"]}]


def test_a_door_that_is_killed_and_one_beside_it_lose_and_double_nothing(make_door: Any) -> None:
    first: Door = make_door(started=False)
    first.broker.create([first.topics.reviews])
    first.start()
    second = Door(
        first.folder, first.broker, first.topics, first.prefix, first.database, first.store_url, first.signer,
        started=10,
    )  # fmt: skip
    second.start()
    try:
        with second.as_("viewer") as viewer:
            for number in range(40):
                decide(first, number, number + 1000)
                if number == 20:
                    first.stop(kill=True)
                    first.broker.send(first.topics.decisions, b"acme", b'{"not": "review"')
                    first.broker.send(first.topics.decisions, b"acme", message(decision(5000, reason(verdict="warn"))))
            until(lambda: len(queue(viewer)) == 80, "the queue")
            assert len({each["event_id"] for each in queue(viewer)}) == 80
    finally:
        second.stop(kill=True)


def test_the_call_of_an_approved_check_is_shown_as_answered_with_it(door: Door) -> None:
    held = decision(0, over(stage="enforced"), tenant="settles", decision_id="chk-0", source="check", event_id="chk-0")
    with door.database.begin() as connection:
        reviews.add_new(connection, list(asked(held, lambda *_: None)), 0)
    with door.as_("approver", "bob", "settles") as bob:
        (check,) = queue(bob)
        move(bob, check, "approve", note="the customer pays")
        calls = [decision(n, over(stage="enforced"), tenant="settles", check_id="chk-0") for n in (50, 51)]
        door.broker.send(door.topics.decisions, b"settles", message(*calls))
        door.broker.flush()
        until(lambda: len(queue(bob)) == 3, "the calls")
        (waits,) = queue(bob, state="open")
        first, second = queue(bob, state="approved")
        assert (waits["event_id"], waits["check_id"], waits["answered_with"]) == ("call-51", "chk-0", None)
        call = first if first["check_id"] else second
        assert (call["event_id"], call["decided_by"], call["note"]) == ("call-50", "bob", "the customer pays")
        assert (call["outcome"], call["answered_with"], call["possible"]) == ("approve", check["id"], [])
        assert bob.get(f"/v1/reviews/{check['id']}").json()["settled_by"] == call["decision_id"]
        assert move(bob, call, "approve").status_code == 409
        env = {"SPENDGATE_URL": door.url, "SPENDGATE_API_KEY": door.key("viewer", "eve", "settles")}
        shown = run("review", "list", "--state", "approved", env=env)
        assert (shown.count("approved by bob"), shown.count("approved by bob, for its check")) == (2, 1)
    with closing(Browser(door)) as browser:
        browser.by_key(env["SPENDGATE_API_KEY"])
        page = " ".join(browser.get("/reviews?state=approved").text.split())
        assert page.count("for the check of this call: the customer pays") == 1
        assert page.count(f"made, as decision {call['decision_id']}") == 1
    until(lambda: {check["id"], call["id"]} <= told(door).keys(), "the records")
    record = told(door)[call["id"]]
    assert (record.event_id, record.answered_by, record.answered_with) == ("call-50", "bob", check["id"])


# By command


def test_the_queue_is_worked_by_commands(door: Door) -> None:
    decide(door, 30, 31, tenant="cli")
    roles: dict[str, Role] = {"bob": "approver", "cat": "approver", "op": "operator"}
    env = {
        name: {"SPENDGATE_URL": door.url, "SPENDGATE_API_KEY": door.key(role, name, "cli")}
        for name, role in roles.items()
    }
    with door.as_("viewer", "eve", "cli") as eve:
        until(lambda: len(queue(eve)) == 2, "the queue")
        first, second = queue(eve)
    shown = run("review", "list", env=env["bob"])
    assert first["id"][:12] in shown
    assert "cap: over the cap of $5.00 for team=red" in shown
    assert run("review", "claim", first["id"][:12], env=env["bob"]).startswith("claimed: ")
    assert "somebody else has claimed it" in run("review", "approve", first["id"], env=env["cat"], code=4)
    assert "claimed by bob" in run("review", "list", "--state", "claimed", env=env["cat"])
    assert run("review", "release", first["id"], env=env["bob"]).startswith("open: ")
    assert run("review", "refuse", first["id"], "--note", "too dear", env=env["cat"]).startswith("refused: ")
    assert "--note" in run("review", "refuse", second["id"], env=env["cat"], code=2)
    assert "0 begin so" in run("review", "approve", "rev-none", env=env["cat"], code=2)
    assert run("review", "approve", second["id"][:12], "--note", "fine", env=env["cat"]).startswith("approved: ")
    assert run("review", "list", env=env["cat"]) == "nothing waits\n"
    told = [json.loads(line) for line in run("review", "list", "--state", "all", "--json", env=env["op"]).splitlines()]
    assert [(each["state"], each["note"]) for each in told] == [("refused", "too dear"), ("approved", "fine")]
    assert "state" in run("review", "list", "--state", "lost", env=env["op"], code=2)
    rows = [json.loads(line) for line in run("audit", "list", "--json", env=env["op"]).splitlines()]
    assert [each["action"] for each in rows][-4:] == ["claim", "release", "refuse", "approve"]
    assert "too dear" in run("audit", "list", "--after", str(rows[-3]["number"]), env=env["op"])
    plain = {**env["op"], "SPENDGATE_STORE": ""}
    assert run("audit", "verify", env=plain).startswith("whole; keep elsewhere: ")
    assert json.loads(run("audit", "verify", "--json", env=plain))["whole"] is True
    assert "expected a key with the role operator" in run("audit", "list", env=env["bob"], code=4)
