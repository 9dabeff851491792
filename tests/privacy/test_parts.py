"""The door's parts of privacy by themselves: what is believed of a tenant, a body's admission, content on its way."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from content_store.cipher import unseal
from content_store.schema import SCHEMA
from content_store.store import ContentStore
from gateway_shadow.beliefs import BELIEVED_S, WITHOUT_STORE_S
from gateway_shadow.privacy.admission import Gate
from gateway_shadow.privacy.desk import Desk
from gateway_shadow.privacy.handling import Handled, handle
from gateway_shadow.privacy.keeping import AWAY, Keeper
from gateway_shadow.privacy.redactor import LATE, Redactor
from gateway_shadow.problems import Problem
from policy_store import gateway_keys, privacy
from policy_store.database import Database
from policy_store.errors import StoreAway
from policy_store.master_keys import MasterKeys
from policy_store.migrate import migrate
from spendgate.model.event import PrivacyMode
from spendgate.model.privacy_settings import PrivacySettings
from tests.door.test_adapters import call
from tests.privacy.signing import new_gateway, signed
from tests.privacy.test_handling import own
from tests.store.conftest import Store, store, url
from tests.store.scenes import change, tenant

__all__ = ["store", "url"]

MASTER = MasterKeys([b"m" * 32])
pytestmark = [pytest.mark.asyncio, pytest.mark.parametrize("url", ["sqlite"], indirect=True)]


class Seconds:
    """A monotonic clock that is moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def set_mode(store: Store, mode: PrivacyMode, revision: int = 0) -> None:
    with change(store) as made:
        wanted = PrivacySettings(mode=mode)
        privacy.set_settings(made, wanted, revision=revision, why="why", master=MASTER, keeps=True)


@pytest.fixture
def contents(tmp_path: Path) -> ContentStore:
    """A content store that has not been prepared: it is away, until it is migrated."""
    return ContentStore(f"sqlite:///{tmp_path / 'contents.db'}")


# What is believed


async def mode_of(desk: Desk) -> PrivacyMode:
    (event,) = own({"prompt": 1}).events
    return (await desk.of("acme")).resolver.of_event(event, None)


async def test_a_change_is_obeyed_once_what_was_believed_is_a_second_old(store: Store, contents: ContentStore) -> None:
    tenant(store)
    clock = Seconds()
    desk = Desk(store.database, MASTER, contents, clock)
    assert await mode_of(desk) == "metadata_only"
    set_mode(store, "full_trace")
    assert await mode_of(desk) == "metadata_only"
    clock.now += BELIEVED_S + 0.1
    assert await mode_of(desk) == "full_trace"


async def test_while_the_store_is_away_what_was_known_goes_on_for_a_while(store: Store) -> None:
    tenant(store)
    set_mode(store, "fingerprint_only")
    clock = Seconds()
    desk = Desk(store.database, MASTER, None, clock)
    assert await mode_of(desk) == "fingerprint_only"
    desk.database = Database("sqlite:////nowhere/at/all.db")
    clock.now += WITHOUT_STORE_S - 1
    assert await mode_of(desk) == "fingerprint_only"
    clock.now += 2
    with pytest.raises(StoreAway):
        await mode_of(desk)
    with pytest.raises(StoreAway):
        await desk.of("unknown")


@pytest.mark.parametrize(
    ("master", "keeps", "obeyed"),
    [
        (None, True, "metadata_only"),
        (MasterKeys([b"x" * 32]), True, "metadata_only"),
        (MASTER, False, "fingerprint_only"),
        (MASTER, True, "full_trace"),
    ],
)
async def test_a_door_that_cannot_obey_a_mode_tightens_it_and_says_so(
    store: Store, contents: ContentStore, caplog: pytest.LogCaptureFixture, master: MasterKeys | None, keeps: bool,
    obeyed: PrivacyMode,
) -> None:  # fmt: skip
    tenant(store)
    set_mode(store, "full_trace")
    desk = Desk(store.database, master, contents if keeps else None)
    assert await mode_of(desk) == obeyed
    assert [obeyed in record.getMessage() for record in caplog.records] == [True] * (obeyed != "full_trace")


# Admission


def as_starlette(sent: httpx.Request) -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": sent.content, "more_body": False}

    headers = [(name.lower().encode(), value.encode()) for name, value in sent.headers.items()]
    scope = {
        "type": "http", "method": sent.method, "path": sent.url.path, "raw_path": sent.url.raw_path,
        "query_string": b"", "headers": headers,
    }  # fmt: skip
    return Request(scope, receive)


class Failed(Exception):
    """Something that keeps a body from being taken."""


async def test_a_body_of_which_nothing_came_may_be_sent_again_as_it_is(store: Store, tmp_path: Path) -> None:
    tenant(store)
    auth, public = new_gateway(tmp_path)
    with change(store) as made:
        gateway_keys.add(made, "eu", public)
    set_mode(store, "private_gateway")
    changes = store.changes
    gate = Gate(Desk(store.database), changes)
    request = signed(auth, httpx.Request("POST", "http://door/v1/events", json=call(0)))
    created = int(request.headers["signature-input"].partition("created=")[2].partition(";")[0])
    store.clock.ms = created * 1000
    for error in (Failed, asyncio.CancelledError):
        with pytest.raises(error):
            async with gate.admitted(as_starlette(request), "acme", None) as admission:
                assert admission.is_signed
                raise error
    async with gate.admitted(as_starlette(request), "acme", None):
        pass
    with pytest.raises(Problem, match="not used before"):
        async with gate.admitted(as_starlette(request), "acme", None):
            pytest.fail("taken twice")
    store.clock.ms += 3_600_000
    with pytest.raises(Problem, match="sign each attempt anew") as late:
        async with gate.admitted(as_starlette(request), "acme", None):
            pytest.fail("taken though it is old")
    assert late.value.status_code == 403
    store.clock.ms -= 3_600_000
    with pytest.raises(Problem, match="sign each attempt anew"):
        async with gate.admitted(as_starlette(request), "acme", None):
            pytest.fail("taken because the clock was set back")


async def test_a_request_may_ask_for_a_signature_and_its_body_then_needs_one(store: Store, tmp_path: Path) -> None:
    tenant(store)
    gate = Gate(Desk(store.database), store.changes)
    plain = httpx.Request("POST", "http://door/v1/events", json=call(0))
    async with gate.admitted(as_starlette(plain), "acme", None) as admission:
        assert not admission.is_signed
    with pytest.raises(Problem) as unsigned:
        async with gate.admitted(as_starlette(plain), "acme", "private_gateway"):
            pytest.fail("taken without one")
    assert (unsigned.value.status_code, unsigned.value.code) == (403, "unsigned")
    auth, _ = new_gateway(tmp_path)
    with pytest.raises(Problem, match="keyid"):
        async with gate.admitted(as_starlette(signed(auth, plain)), "acme", None):
            pytest.fail("a signature that is wrong is never passed over")


# Content on its way


async def kept(store: Store, keeper: Keeper, mode: PrivacyMode, *prompts: Any) -> Handled:
    privacy_ = Desk(store.database, MASTER, keeper.store).read("acme")
    found = handle(
        own(*({"prompt": each} for each in prompts)), privacy_.resolver, privacy_.fingerprints, None, is_signed=False
    )
    await keeper.keep(found, privacy_, 0)
    assert len(found.events) == len(prompts)
    return found


async def test_while_the_content_store_is_away_events_go_on_without_their_content(
    store: Store, contents: ContentStore
) -> None:
    tenant(store)
    set_mode(store, "full_trace")
    keeper = Keeper(contents, Redactor(None))
    away = await kept(store, keeper, "full_trace", "a", "b")
    assert [each.expected for each in away.aside] == [AWAY, AWAY]
    assert {event.privacy_mode for event in away.events} == {"fingerprint_only"}
    migrate(contents.database, schema=SCHEMA)
    back = await kept(store, keeper, "full_trace", "a", "b")
    assert back.aside == []
    assert {event.privacy_mode for event in back.events} == {"full_trace"}
    key = Desk(store.database, MASTER, contents).read("acme").contents
    found = contents.get("acme", "http", "e1")
    assert key is not None
    assert found is not None
    assert json.loads(unseal(key.key, found.sealed, found.about)) == {"prompt": "b", "response": None}


async def test_content_that_is_not_redacted_in_time_is_not_kept(
    store: Store, contents: ContentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant(store)
    set_mode(store, "redacted_trace")
    migrate(contents.database, schema=SCHEMA)
    monkeypatch.setattr("gateway_shadow.privacy.redactor.WAIT_S", 0.001)
    redactor = Redactor(None)
    found = await kept(store, Keeper(contents, redactor), "redacted_trace", 12)
    await redactor.close()
    assert [each.expected for each in found.aside] == [LATE]
    assert (found.events[0].privacy_mode, contents.summary("acme").calls) == ("fingerprint_only", 0)


async def test_a_redactor_that_does_not_begin_keeps_no_event_from_the_log(
    store: Store, contents: ContentStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tenant(store)
    set_mode(store, "redacted_trace")
    migrate(contents.database, schema=SCHEMA)
    redactor = Redactor(tmp_path / "no-model")
    found = await kept(store, Keeper(contents, redactor), "redacted_trace", 12)
    await redactor.close()
    assert len(found.aside) == 1
    assert found.events[0].privacy_mode == "fingerprint_only"
    if found.aside[0].expected != LATE:  # (on a machine that is very busy)
        assert any("the redactor does not begin" in record.getMessage() for record in caplog.records)
