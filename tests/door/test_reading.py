"""The ledger over HTTP: pages of any size hold every row once; filters choose; a story is the whole of a call."""

import base64
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_shadow.ledger.pages import CursorError, decode_cursor, encode_cursor, page
from gateway_shadow.stories.example import STORY
from gateway_shadow.stories.tell_story import Story
from policy_store import policies, tenants
from spendgate.ledger.check_rows import RecordedCheck, check_batch_of
from spendgate.ledger.decision_rows import decisions_of
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_selection import Place, Selection
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.ledger.event_rows import Place as LogPlace
from spendgate.ledger.row_filter import Wanted
from spendgate.model.check import Check, encode_check
from spendgate.model.decision import Decision
from tests.door.conftest import Door
from tests.engine.scenes import START, TENANT, call, correction, log_of
from tests.reconcile.test_reconcile import busy, write


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    log, decisions, _ = busy()
    return write(tmp_path_factory.mktemp("pages"), log, decisions)


def paged(ledger: Ledger, wanted: Wanted, sizes: list[int], *, newest_first: bool = False) -> list[Decision]:
    """All pages one after the other, of these sizes, again and again; each cursor goes through its text."""
    found: list[Decision] = []
    after, turn = None, 0
    while True:
        chosen = Selection("decisions", TENANT, wanted, after, newest_first)
        got = page(ledger, chosen, sizes[turn % len(sizes)])
        found += [each for batch in got.batches for each in decisions_of(batch)]
        after, turn = decode_cursor(encode_cursor(got.next)), turn + 1
        if after is None:
            return found


@given(
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=4), verdict=st.sampled_from([None, "deny", "approve"]),
    policy=st.sampled_from([None, "capped", "other", "none"]), code=st.sampled_from([None, "over_cap"]),
    newest_first=st.booleans(),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_pages_of_any_size_hold_every_row_that_is_wanted_once_and_in_order(
    ledger: Ledger,
    sizes: list[int],
    verdict: str | None,
    policy: str | None,
    code: str | None,
    newest_first: bool,
) -> None:
    _, decisions, _ = busy()
    reasons = {name: value for name, value in (("policy", policy), ("code", code)) if value is not None}
    wanted = Wanted({} if verdict is None else {"verdict": verdict}, reasons)
    owed = [
        each
        for each in decisions
        if verdict in (None, each.verdict)
        and (not reasons or any(all(getattr(r, n) == v for n, v in reasons.items()) for r in each.reasons))
    ]
    assert paged(ledger, wanted, sizes, newest_first=newest_first) == (owed[::-1] if newest_first else owed)


def test_a_page_goes_on_where_it_ended_while_the_ledger_grows() -> None:
    log, decisions, _ = busy()
    with TemporaryDirectory() as folder:
        first = page(write(Path(folder), log, decisions), Selection("events", TENANT), 25)
        write(Path(folder), log_of(*(r.body for r in log), call(timedelta(hours=2), "late")), [])
        rest = page(Ledger.open(folder), Selection("events", TENANT, after=first.next), 100)
        ids = [id_ for got in (first, rest) for batch in got.batches for id_ in batch.column("id").to_pylist()]
    assert ids == [*(f"e{n}" for n in range(40)), "late"]


@given(st.text(max_size=40) | st.binary(max_size=40).map(lambda b: base64.urlsafe_b64encode(b).decode()))
def test_what_was_never_a_cursor_is_no_cursor(text: str) -> None:
    with suppress(CursorError):
        assert isinstance(decode_cursor(text), Place)


@pytest.fixture(scope="module")
def read_door(shared_door: Door) -> Door:
    """A door with a ledger, with the check that e17 settles, and with the policies that are staged there."""
    log, decisions, known = busy()
    later = (
        call(
            timedelta(minutes=50), "out", kind="outcome", refers_to="e17", outcome="accepted", evidence_status="present"
        ),
        correction(timedelta(minutes=51), "e17", 5),
        call(timedelta(minutes=52), "e17", team="t1"),
    )
    write(shared_door.ledger, log_of(*(record.body for record in log), *later), decisions)
    check = Check(
        check_id="chk-17", tenant=TENANT, time=START + timedelta(minutes=17), asked_by="ann", would_be="approve",
        estimate_nano_usd=9 * 10**8, applied=18, team="t1", model="gpt-5", took_us=900,
    )  # fmt: skip
    place = LogPlace("checks-id", 0, 0, 0, START)
    rows = check_batch_of([RecordedCheck(check, encode_check(check))], [place])
    LedgerTable(shared_door.ledger).append("checks", [rows], ("checks-id", 0), 0)
    with shared_door.changes().of(TENANT, "root") as change:
        tenants.create(change)
        for each in known.values():
            policies.create(change, each, "as written")
    return shared_door


def test_decisions_are_read_page_by_page_and_by_filter(read_door: Door) -> None:
    _, decisions, _ = busy()
    with read_door.as_("viewer", tenant=TENANT) as client:
        found: list[Any] = []
        cursor: dict[str, str] = {}
        while cursor is not None:
            got = client.get("/v1/decisions", params={"limit": 7, **cursor}).json()
            found += got["items"]
            cursor = {"cursor": got["next"]} if got["next"] else None  # type: ignore[assignment]
        denied = client.get("/v1/decisions", params={"verdict": "deny", "code": "over_cap"}).json()
        at = {"from": decisions[5].event_time.isoformat(), "to": decisions[8].event_time.isoformat()}
        between = client.get("/v1/decisions", params=at).json()
    assert msgspec.convert(found, list[Decision]) == decisions
    assert [each["event_id"] for each in denied["items"]] == [d.event_id for d in decisions if d.verdict == "deny"]
    assert [each["event_id"] for each in between["items"]] == ["e5", "e6", "e7"]


def test_events_are_read_with_where_they_stand_and_repeats_marked(read_door: Door) -> None:
    with read_door.as_("viewer", tenant=TENANT) as client:
        found = client.get("/v1/ledger", params={"id": "e17"}).json()["items"]
        red = client.get("/v1/ledger", params={"team": "t1", "limit": 1000}).json()["items"]
    assert [each["duplicate"] for each in found] == [False, True]
    topic_id, *place = found[0]["position"].values()
    assert (bool(topic_id), place) == (True, [0, 19, 0])
    assert len(red) == 21


def test_a_story_tells_what_came_in_whose_it_is_what_was_said_and_what_became_of_it(read_door: Door) -> None:
    with read_door.as_("viewer", tenant=TENANT) as client:
        told = client.get("/v1/story", params={"source": "app", "id": "e17"}).json()
        nobody = client.get("/v1/story", params={"source": "app", "id": "e99"})
    assert (told["event"]["id"], told["repeats"]) == ("e17", 1)
    assert (told["attribution"]["known"], told["attribution"]["of"]) == (["team"], 6)
    assert (told["outcome"], told["cost_nano_usd"]) == ("accepted", 5)
    assert told["evidence"] == {"status": "present", "id": None, "came_later": True, "words": "there is evidence"}
    assert [each["kind"] for each in told["annotations"]] == ["outcome", "correction"]
    assert told["decision"]["event_id"] == "e17"
    assert all(each["words"] for each in told["decision"]["reasons"])
    assert (nobody.status_code, nobody.json()["status"]) == (404, 404)


def test_a_story_tells_every_rule_in_words_the_check_and_the_calls_beside_it(read_door: Door) -> None:
    with read_door.as_("viewer", tenant=TENANT) as client:
        told = client.get("/v1/story", params={"source": "app", "id": "e17", "neighbours": 3}).json()
        alone = client.get("/v1/story", params={"source": "app", "id": "e17", "neighbours": 0}).json()
    rules = {each["policy"]: [(rule["verdict"], rule["words"]) for rule in each["rules"]] for each in told["rules"]}
    assert rules["other"] == [("approve", "within $1,000.00 a day (UTC)")]
    ((verdict, words),) = rules["capped"]
    assert verdict == "approve"
    assert words.startswith("within the cap of $10.00 for team=t1")
    assert told["check"]["words"] == "allowed; the policies would have said approve"
    assert told["check"]["cost_over_estimate_nano_usd"] == 10**8
    beside = told["neighbours"]
    assert (beside["policy"], beside["counter"], beside["is_partial"]) == ("capped", "team=t1", False)
    assert [each["id"] for each in beside["before"]] == ["e11", "e13", "e15"]
    assert [(each["id"], each["verdict"]) for each in beside["after"]] == [
        ("e19", "approve"), ("e21", "deny"), ("e23", "deny")
    ]  # fmt: skip
    assert alone["neighbours"] is None


def test_the_example_of_a_story_has_the_fields_that_stories_have(read_door: Door) -> None:
    with read_door.as_("viewer", tenant=TENANT) as client:
        told = client.get("/v1/story", params={"source": "app", "id": "e17"}).json()
    Story.model_validate(STORY)
    assert _fields(STORY) == _fields(told)


def _fields(document: Any, at: str = "") -> set[str]:
    """The names of fields at every depth, but for those of events, which have what was sent."""
    if isinstance(document, list):
        return {name for each in document for name in _fields(each, at)}
    if not isinstance(document, dict) or at in (".event", ".annotations"):
        return {at}
    return {name for key, value in document.items() for name in _fields(value, f"{at}.{key}")}


def test_another_tenant_sees_nothing_of_it_and_a_bad_cursor_is_named(read_door: Door) -> None:
    with read_door.as_("viewer", tenant="somebody-else") as client:
        assert client.get("/v1/decisions").json() == {"items": [], "next": None}
        assert client.get("/v1/ledger").json() == {"items": [], "next": None}
        assert client.get("/v1/story", params={"source": "app", "id": "e17"}).status_code == 404
        bad = client.get("/v1/decisions", params={"cursor": "not-one"})
    assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "cursor")
