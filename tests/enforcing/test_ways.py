"""The ways of enforcing, on one scene: a share of owners, reviews that wait, and what shadow beside it never does."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from redis import Redis

from dev.stack import Stack
from policy_store import reviews
from policy_store.asked_reviews import Review
from spendgate.model.enforcement import Share, share_of
from spendgate.model.review import ReviewRecord
from tests.door.conftest import TENANT
from tests.enforcing.scene import Scene
from tests.enforcing.test_flip import DOLLAR
from tests.live.samples import a_day, budget, call, policy
from tests.live.waiting import until
from tests.live.world import World

ASKED = 30


@pytest.fixture(scope="module")
def scene(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One scene for the module: each test scopes its policies to a workflow of its own."""
    folder = tmp_path_factory.mktemp("ways")
    world = World(stack.bootstrap, stack.redis_url, folder)
    made = Scene(world, folder)
    world.worker()
    made.agent()
    made.levels_on()
    yield made
    made.close()
    world.close()


def asked(scene: Scene, **question: Any) -> list[int]:
    """The statuses of some calls of employees e0, e1 and so on."""
    return [scene.ask(employee=f"e{n}", estimate_nano_usd=1, **question).status_code for n in range(ASKED)]


def on(scene: Scene, made: Any, share: Share | None = None) -> str:
    """A policy that is enforced by now; the upper levels are on already."""
    staging = scene.staged(made)
    scene.flipped(staging, share)
    scene.wait_for_lease(staging)
    return staging


def test_a_share_is_enforced_for_the_same_owners_each_time_and_for_nobody_else(scene: Scene) -> None:
    nothing = policy(
        "share", {"boundary": {"models": {"deny": ["*"]}, "on_breach": "deny"}}, scope={"workflow": ["share"]}
    )
    staging = on(scene, nothing, Share(by="employee", percent=40))
    owed = [429 if share_of(staging, f"e{number}") < 40 else 200 for number in range(ASKED)]
    until(lambda: asked(scene, workflow="share", model="gpt") == owed, "the share to be enforced", state=scene.logs)


def test_a_held_call_goes_on_once_a_person_has_approved_it_and_reserves_then(scene: Scene) -> None:
    rules = budget("0.000000005", a_day(), on_breach="review"), budget("1", {"lifetime": True})
    staging = on(scene, policy("held", *rules, scope={"workflow": ["held"]}))
    question = {"workflow": "held", "estimate_nano_usd": 10, "request_id": "request-1"}
    held = scene.answer(429, **question).json()
    assert (held["blocked"], len(held["reviews"]), held["retry_after_s"]) == ("review", 1, 10)
    assert not any(name.startswith(staging) for name in scene.reserved())
    with scene.door.changes().of(TENANT, "reviewer") as change:
        found = reviews.require(change.connection, TENANT, held["reviews"][0])
        reviews.answer(change, found.id, found.revision, "approve", None)
    let_go = scene.ruled(**question)
    assert (let_go.status_code, let_go.json()["check_id"]) == (200, held["check_id"])
    assert sorted(amount for name, amount in scene.reserved().items() if name.startswith(staging)) == [10, 10]
    dearer = scene.answer(429, **(question | {"estimate_nano_usd": 11})).json()
    assert dearer["check_id"] != held["check_id"], "what was approved is this question, and no other of its request"
    scene.answer(429, workflow="held", estimate_nano_usd=10)


def test_a_held_call_that_a_person_has_refused_is_denied(scene: Scene) -> None:
    on(scene, policy("asks", {"review": {"when": {"cost_usd_over": "0.5"}}}, scope={"workflow": ["asks"]}))
    question = {"workflow": "asks", "estimate_nano_usd": DOLLAR, "request_id": "request-2"}
    held = scene.answer(429, **question).json()
    with scene.door.changes().of(TENANT, "reviewer") as change:
        found = reviews.require(change.connection, TENANT, held["reviews"][0])
        reviews.answer(change, found.id, found.revision, "refuse", "too dear")
    assert scene.answer(429, **question).json()["blocked"] == "deny"
    assert scene.ask(workflow="asks", estimate_nano_usd=1).status_code == 200


def test_who_has_approved_a_held_call_is_not_asked_about_it_again_and_another_call_is(scene: Scene) -> None:
    on(scene, policy("once", {"review": {"when": {"cost_usd_over": "0.5"}}}, scope={"workflow": ["once"]}))
    question = {"workflow": "once", "estimate_nano_usd": DOLLAR, "request_id": "request-3"}
    until(lambda: scene.ask(**question).status_code == 429, "the call to be held", 20)
    held = scene.ask(**question).json()
    with scene.door.changes().of(TENANT, "reviewer") as change:
        check = reviews.require(change.connection, TENANT, held["reviews"][0])
        reviews.answer(change, check.id, check.revision, "approve", "the customer pays")
    assert scene.ask(**question).status_code == 200
    made = {"cost_nano_usd": DOLLAR + 7, "workflow": "once", "check_id": held["check_id"]}
    now = datetime.now(UTC)
    scene.send(*(replace(call(TENANT, f"once-{name}", now), **made) for name in ("held", "other")))

    def asked() -> dict[str, Review]:
        with scene.door.database.read() as connection:
            return {each.event_id: each for each in reviews.listed(connection, TENANT, policy="once")}

    until(lambda: "call-once-other" in asked(), "the calls to be judged and followed", 30, scene.logs)
    queue = asked()
    mine, other = queue["call-once-held"], queue["call-once-other"]
    assert (mine.state, mine.decided_by, mine.note) == ("approved", "reviewer", "the customer pays")
    assert (mine.check_id, mine.answered_with, mine.cost_nano_usd) == (held["check_id"], check.id, DOLLAR + 7)
    assert queue[held["check_id"]].settled_by == mine.decision_id
    assert (other.state, other.answered_with) == ("open", None), "an approval is of one call"
    until(lambda: mine.id in told(scene), "the record of the call's answer", 20)
    record = told(scene)[mine.id]
    assert (record.event_id, record.outcome, record.answered_by, record.answered_with) == (
        "call-once-held", "approve", "reviewer", check.id,
    )  # fmt: skip


def told(scene: Scene) -> dict[str, ReviewRecord]:
    """What stands on ``spend.reviews``, by review; each once."""
    rows = scene.world.broker.read(scene.world.topics.reviews)
    found = [msgspec.json.decode(row.value, type=ReviewRecord) for row in rows if row.value is not None]
    assert len(found) == len({each.review_id for each in found})
    return {each.review_id: each for each in found}


def test_shadow_beside_what_is_enforced_blocks_nothing_and_changes_nothing_of_it(scene: Scene) -> None:
    scene.staged(policy("strict", budget("0", {"calendar": "day"}, ["team"]), scope={"workflow": ["beside"]}))
    enforced = policy("loose", budget("1", {"calendar": "day"}, ["team"]), scope={"workflow": ["beside"]})
    on(scene, enforced)
    scene.send(call(TENANT, "beside", datetime.now(UTC), DOLLAR - 10))
    scene.world.settle()
    question = {"workflow": "beside", "team": "red", "estimate_nano_usd": 1, "request_id": "request-3"}
    until(lambda: scene.ask(**question).json()["would_be"] == "deny", "shadow to look on")
    allowed = scene.ruled(**question)
    assert allowed.status_code == 200
    assert [each["stage"] for each in allowed.json()["reasons"] if each["verdict"] == "deny"] == ["shadow"]


def test_while_the_flag_is_off_nothing_that_could_block_is_written_anywhere(scene: Scene) -> None:
    staging = scene.staged(policy("off", budget("0", {"calendar": "day"}), scope={"workflow": ["off"]}))
    scene.send(call(TENANT, "off", datetime.now(UTC), DOLLAR))
    scene.world.settle()
    until(lambda: scene.ask(workflow="off", estimate_nano_usd=1).json()["would_be"] == "deny", "shadow to look on")
    assert set(asked(scene, workflow="off")) == {200}
    with Redis.from_url(scene.world.redis_url) as client:
        assert staging.encode() not in client.hgetall(scene.keys.leases(TENANT))
    assert not any(name.startswith(staging) for name in scene.reserved())
    kinds = {each.kind for each in scene.records() if each.staging == staging}
    assert kinds <= {"would_block"}
