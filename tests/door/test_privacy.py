"""Privacy at a real door: modes as they are set, content where it belongs, signed bodies taken once by all doors."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import pytest

from content_store.cipher import About, Unreadable, seal, unseal
from content_store.store import Kept
from dev.ports import free_port
from gateway_shadow.config import Config, Misconfigured
from gateway_shadow.privacy.office import privacy_of
from policy_store import tenant_secrets
from policy_store.change import Changes
from policy_store.database import Database
from policy_store.errors import StoreError
from policy_store.master_keys import read_master_key_file
from spendgate.model.event import PrivacyMode
from spendgate.model.privacy import MODES, permits
from tests.door.conftest import TENANT, Door, MakeDoor
from tests.door.test_adapters import call, exported, litellm
from tests.door.test_ingest import on_the_log
from tests.live.waiting import in_time, until
from tests.privacy.signing import new_gateway, signed
from tests.privacy.test_redaction import make_model

CONTENT: dict[str, Any] = {
    "prompt": "the patient said",
    "response": [{"role": "assistant", "content": "that she left"}],
}
WHY = {"why": "for the test"}
OBEYED_S = 2.5
"""Two seconds, and what a request takes."""


@pytest.fixture
def tenant(request: pytest.FixtureRequest) -> str:
    """A tenant of the test's own."""
    return f"privacy-{sha256(request.node.name.encode()).hexdigest()[:8]}"


def set_privacy(door: Door, tenant: str, **settings: Any) -> None:
    """Have an operator change the settings, and wait until this door obeys."""
    _set_privacy(door, tenant, **settings)
    wanted = settings.get("mode", "metadata_only")
    with door.as_("ingest", tenant=tenant) as client:
        until(lambda: _mode_of_a_probe(door, client, tenant) == wanted, f"{wanted} to be obeyed")


def _set_privacy(door: Door, tenant: str, **settings: Any) -> None:
    with door.as_("operator", tenant=tenant) as operator:
        tag = operator.get("/v1/privacy").headers["etag"]
        answer = operator.put("/v1/privacy", json={"settings": settings, **WHY}, headers={"If-Match": tag})
        assert answer.status_code == 200, answer.text


_probes = iter(range(10**6))


def _mode_of_a_probe(door: Door, client: httpx.Client, tenant: str) -> str | None:
    id_ = f"probe-{next(_probes)}"
    answer = client.post("/v1/events", json=call(0, id=id_))
    if answer.status_code == 403:
        return "private_gateway"
    return next(event.privacy_mode for event in on_the_log(door, tenant) if event.id == id_)


def content_of(client: httpx.Client, id_: str, source: str = "http") -> httpx.Response:
    return client.post("/v1/privacy/contents/read", json={"source": source, "id": id_, **WHY})


def events(door: Door, tenant: str) -> dict[str, Any]:
    """What stands on the log, by id, without probes."""
    return {event.id: event for event in on_the_log(door, tenant) if not event.id.startswith("probe")}


@pytest.mark.parametrize("mode", [mode for mode in MODES if permits(mode).unsigned])
def test_a_mode_that_is_set_is_obeyed_and_written_into_the_event(
    shared_door: Door, tenant: str, mode: PrivacyMode, tmp_path: Path
) -> None:
    if mode != "metadata_only":
        set_privacy(shared_door, tenant, mode=mode)
    with shared_door.as_("ingest", tenant=tenant) as client, shared_door.as_("content", tenant=tenant) as reader:
        answer = client.post("/v1/events", json=[call(0), call(1, content={"prompt": "12", "response": None})])
        met = client.post("/v1/ingest/litellm", json=[litellm(2, messages="12", response=None)])
        found = events(shared_door, tenant)
        assert {event.privacy_mode for event in found.values()} == {mode}
        assert ("e1" in found, "chatcmpl-2" in found) == (permits(mode).fingerprints, True)
        if not permits(mode).fingerprints:
            assert [(each["index"], each["field"]) for each in answer.json()["refused"]] == [(1, "content")]
            assert met.json()["dropped"] == ["messages"]
            return
        (one,) = {found[id_].prompt_fingerprint for id_ in ("e1", "chatcmpl-2")}
        assert one.startswith("hmac-sha256:fp-")
        assert met.json()["dropped"] == []
        kept = content_of(reader, "e1")
        assert kept.status_code == (200 if permits(mode).redacted else 404)
        if permits(mode).redacted:
            assert (kept.json()["mode"], kept.json()["prompt"], kept.json()["response"]) == (mode, "12", None)
            assert content_of(reader, "chatcmpl-2", "litellm").json()["prompt"] == "12"


def test_a_mode_is_obeyed_within_two_seconds(shared_door: Door, tenant: str) -> None:
    modes = cycle(("fingerprint_only", "metadata_only"))

    def obeyed_s() -> float:
        wanted = next(modes)
        with shared_door.as_("ingest", tenant=tenant) as client:
            begun = time.monotonic()
            _set_privacy(shared_door, tenant, mode=wanted)
            until(lambda: _mode_of_a_probe(shared_door, client, tenant) == wanted, f"{wanted} to be obeyed")
            return time.monotonic() - begun

    in_time(obeyed_s, OBEYED_S)


def test_a_request_tightens_in_every_way_that_it_can_say_so_and_widens_in_none(shared_door: Door, tenant: str) -> None:
    set_privacy(shared_door, tenant, mode="fingerprint_only")
    tight = {"X-Spendgate-Privacy": "metadata_only"}
    spans = exported()
    for group in spans.resource_spans:
        for span in (each for scope in group.scope_spans for each in scope.spans):
            span.attributes.add(key="spendgate.privacy_mode").value.string_value = "metadata_only"
    with shared_door.as_("ingest", tenant=tenant) as client:
        assert client.post("/v1/events", json=call(0), headers=tight).status_code == 202
        assert client.post("/v1/events", json=call(1, privacy_mode="metadata_only")).status_code == 202
        tagged = litellm(2, request_tags=["spendgate_privacy:metadata_only"])
        assert client.post("/v1/ingest/litellm", json=[tagged]).json()["dropped"] == ["messages", "response"]
        sent = client.post(
            "/v1/traces", content=spans.SerializeToString(), headers={"Content-Type": "application/x-protobuf"}
        )
        assert sent.status_code == 200
        wide = {"X-Spendgate-Privacy": "full_trace"}
        assert client.post("/v1/events", json=call(3, content=CONTENT), headers=wide).status_code == 202
        assert client.post("/v1/events", json=call(4, content=CONTENT, privacy_mode="full_trace")).status_code == 202
        bad = client.post("/v1/events", json=call(5), headers={"X-Spendgate-Privacy": "tightly"})
        assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "X-Spendgate-Privacy")
    found = events(shared_door, tenant)
    assert {found[id_].privacy_mode for id_ in ("e0", "e1", "chatcmpl-2")} == {"metadata_only"}
    assert [event.privacy_mode for event in found.values() if event.source == "otel"] == ["metadata_only"]
    assert {found[id_].privacy_mode for id_ in ("e3", "e4")} == {"fingerprint_only"}
    assert "e5" not in found


def test_scopes_have_modes_of_their_own(shared_door: Door, tenant: str) -> None:
    scopes = [{"mode": "full_trace", "scope": {"team": ["debug-*"]}}]
    set_privacy(shared_door, tenant, mode="metadata_only", scopes=scopes)
    items = [call(0, team="debug-1", content=CONTENT), call(1, team="sales"), call(2, team="sales", content=CONTENT)]
    with shared_door.as_("ingest", tenant=tenant) as client, shared_door.as_("content", tenant=tenant) as reader:
        until(lambda: client.post("/v1/events", json=items).json()["accepted"] == 2, "the scope to be obeyed")
        assert content_of(reader, "e0").json()["prompt"] == CONTENT["prompt"]
    found = events(shared_door, tenant)
    assert (found["e0"].privacy_mode, found["e1"].privacy_mode) == ("full_trace", "metadata_only")
    assert "e2" not in found


def test_content_is_read_by_the_right_of_its_own_and_the_trail_knows_it(shared_door: Door, tenant: str) -> None:
    set_privacy(shared_door, tenant, mode="full_trace")
    with shared_door.as_("ingest", tenant=tenant) as client:
        assert client.post("/v1/events", json=call(0, content=CONTENT)).status_code == 202
    for role in ("viewer", "editor", "approver", "operator", "ingest"):
        with shared_door.as_(role, tenant=tenant) as other:
            assert content_of(other, "e0").status_code == 403
    with shared_door.as_("content", "cora", tenant="spy") as spy:
        assert content_of(spy, "e0").status_code == 404
    with shared_door.as_("content", "cora", tenant=tenant) as cora:
        assert content_of(cora, "e0").json()["response"] == CONTENT["response"]
        assert cora.post("/v1/privacy/contents/read", json={"source": "http", "id": "e0"}).status_code == 422
    with shared_door.as_("operator", tenant=tenant) as operator:
        rows = [row for row in operator.get("/v1/audit").json() if row["action"] == "read"]
        assert [(row["who"], row["subject"], row["why"]) for row in rows] == [
            ("cora", "content http e0", WHY["why"]),
        ]  # fmt: skip
        assert "patient" not in operator.get("/v1/audit").text


def test_what_is_erased_is_gone_and_no_copy_of_it_opens(shared_door: Door, tenant: str) -> None:
    set_privacy(shared_door, tenant, mode="full_trace")
    with (
        shared_door.as_("ingest", tenant=tenant) as client,
        shared_door.as_("content", tenant=tenant) as reader,
        shared_door.as_("operator", tenant=tenant) as operator,
    ):
        client.post("/v1/events", json=[call(n, content=CONTENT) for n in range(4)])
        assert operator.get("/v1/privacy/contents").json()["calls"] == 4
        erase = "/v1/privacy/contents/erase"
        for unclear in ({}, {"source": "http"}, {"id": "e0"}, {"all": True, "id": "e0"}, {"all": False}):
            assert operator.post(erase, json={**unclear, **WHY}).status_code == 422
        assert reader.post(erase, json={"all": True, **WHY}).status_code == 403
        assert operator.post(erase, json={"source": "http", "id": "e0", **WHY}).json() == {"erased": 1}
        assert [content_of(reader, f"e{n}").status_code for n in range(4)] == [404, 200, 200, 200]
        contents = shared_door.contents()
        copy = contents.get(tenant, "http", "e1")
        assert copy is not None
        assert operator.post(erase, json={"all": True, **WHY}).json() == {"erased": 3}
        assert contents.summary(tenant).calls == 0
        contents.close()
        with shared_door.database.read() as connection:
            master = read_master_key_file(shared_door.folder / "master.key")
            keys = tenant_secrets.listed(connection, tenant)
        for each in keys:
            with pytest.raises(Unreadable):
                unseal(master.open(each.sealed, each.bound_to), copy.sealed, copy.about)

        def kept_anew() -> bool:
            client.post("/v1/events", json=call(9, id=f"anew-{next(_probes)}", content=CONTENT))
            return bool(operator.get("/v1/privacy/contents").json()["calls"])

        until(kept_anew, "content to be kept under a new key")


def test_a_fingerprint_is_found_again_across_a_rotation_until_its_key_is_destroyed(
    shared_door: Door, tenant: str
) -> None:
    set_privacy(shared_door, tenant, mode="fingerprint_only")
    with (
        shared_door.as_("ingest", tenant=tenant) as client,
        shared_door.as_("content", tenant=tenant) as reader,
        shared_door.as_("operator", tenant=tenant) as operator,
    ):

        def fingerprint_of(id_: str) -> str:
            client.post("/v1/events", json=call(0, id=id_, content=CONTENT))
            return str(events(shared_door, tenant)[id_].prompt_fingerprint)

        def known() -> list[str]:
            asked = {"content": CONTENT["prompt"], **WHY}
            found: list[str] = reader.post("/v1/privacy/fingerprints", json=asked).json()["fingerprints"]
            return found

        before = fingerprint_of("before")
        assert fingerprint_of("again") == before
        assert known() == [before]
        current = operator.post("/v1/privacy/keys/rotate", json=WHY).json()["id"]
        until(lambda: current in fingerprint_of(f"after-{next(_probes)}"), "the rotation to be obeyed")
        after = fingerprint_of("after")
        assert known() == [after, before]
        old = before.split(":")[1]
        assert operator.post(f"/v1/privacy/keys/{current}/destroy", json=WHY).status_code == 409
        assert operator.post(f"/v1/privacy/keys/{old}/destroy", json=WHY).status_code == 200
        assert known() == [after]
        listed = operator.get("/v1/privacy/keys").text
        assert "sealed" not in listed
        assert operator.post("/v1/privacy/fingerprints", json={"content": "x", **WHY}).status_code == 403


def test_settings_name_the_revision_that_was_read_and_say_why(shared_door: Door, tenant: str) -> None:
    wanted = {"settings": {"mode": "fingerprint_only"}}
    with shared_door.as_("operator", tenant=tenant) as operator, shared_door.as_("editor", tenant=tenant) as editor:
        first = operator.get("/v1/privacy")
        assert (first.headers["etag"], first.json()["settings"]["mode"]) == ('"0"', "metadata_only")
        tag = {"If-Match": '"0"'}
        assert editor.put("/v1/privacy", json={**wanted, **WHY}, headers=tag).status_code == 403
        assert operator.put("/v1/privacy", json={**wanted, **WHY}).status_code == 428
        unexplained = operator.put("/v1/privacy", json=wanted, headers=tag)
        assert [each["field"] for each in unexplained.json()["errors"]] == ["why"]
        assert operator.put("/v1/privacy", json={**wanted, **WHY}, headers=tag).headers["etag"] == '"1"'
        assert operator.put("/v1/privacy", json={**wanted, **WHY}, headers=tag).status_code == 412
        assert (first.json()["obeys"], editor.get("/v1/privacy").json()["obeys"]) == (
            "metadata_only", "fingerprint_only",
        )  # fmt: skip


def test_a_door_sweeps_what_is_past_its_time_and_leaves_the_rest(make_door: MakeDoor) -> None:
    door = make_door(started=False)
    door.prepare_content()
    contents, now_ms = door.contents(), door.changes().now_ms()
    past, due = (About(TENANT, "app", id_, "full_trace", now_ms, now_ms + more, "ck-1") for id_, more in
                 (("past", -1), ("due", 3_600_000)))  # fmt: skip
    contents.put([Kept(each, seal(b"k" * 32, b"{}", each)) for each in (past, due)])
    door.start()
    until(lambda: contents.get(TENANT, "app", "past") is None, "what is past its time to be swept")
    assert contents.get(TENANT, "app", "due") is not None
    contents.close()


# Signed bodies


@pytest.fixture
def two_doors(shared_door: Door, tmp_path: Path) -> Iterator[tuple[Door, Door]]:
    """Two processes on one store."""
    other = replace(shared_door, port=free_port(), process=None, started=shared_door.started + 50)
    other.start()
    yield shared_door, other
    other.stop()


def test_a_signed_body_is_taken_once_whichever_door_it_comes_to(
    two_doors: tuple[Door, Door], tenant: str, tmp_path: Path
) -> None:
    door, other = two_doors
    auth, public = new_gateway(tmp_path, door.key("ingest", tenant=tenant))
    with door.as_("operator", tenant=tenant) as operator:
        refused = operator.put(
            "/v1/privacy", json={"settings": {"mode": "private_gateway"}, **WHY}, headers={"If-Match": '"0"'}
        )
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:spendgate:problem:no_gateway_key")
        added = operator.post("/v1/privacy/gateways", json={"name": "eu", "public": public})
        assert (added.status_code, added.json()["id"]) == (201, auth.key_id)
        set_privacy(door, tenant, mode="private_gateway")

        def body(number: int) -> httpx.Request:
            return signed(auth, httpx.Request("POST", f"{door.url}/v1/events", json=call(number)))

        def sent(request: httpx.Request, to: Door) -> int:
            url = str(request.url).replace(str(door.port), str(to.port))
            headers = [(name, value) for name, value in request.headers.items() if name != "host"]
            return httpx.post(url, content=request.content, headers=headers, timeout=30).status_code

        first = body(1)
        assert [sent(first, door), sent(first, door), sent(first, other)] == [202, 409, 409]
        answers: list[int] = []
        raced = body(2)
        race = [
            threading.Thread(target=lambda to: answers.append(sent(raced, to)), args=(to,))
            for to in (door, other) * 4
        ]  # fmt: skip
        for thread in race:
            thread.start()
        for thread in race:
            thread.join()
        assert sorted(answers) == [202] + [409] * 7
        with door.as_("ingest", tenant=tenant) as client:
            unsigned = client.post("/v1/events", json=call(3))
            assert (unsigned.status_code, "ed25519" in unsigned.headers["accept-signature"]) == (403, True)
        changed = body(4)
        forged = httpx.Request(
            "POST", changed.url, headers=changed.headers, content=changed.content.replace(b"4", b"5")
        )
        assert sent(forged, door) == 403
        stranger, _ = new_gateway(tmp_path, door.key("ingest", tenant=tenant))
        assert sent(signed(stranger, httpx.Request("POST", f"{door.url}/v1/events", json=call(6))), door) == 403
        assert operator.post(f"/v1/privacy/gateways/{auth.key_id}/revoke", json=WHY).status_code == 200
        until(lambda: sent(body(next(_probes) + 100), other) == 403, "the key's end to be obeyed")
    ids = [event.id for event in on_the_log(door, tenant) if event.id in ("e1", "e2", "e3", "e4", "e5", "e6")]
    assert sorted(ids) == ["e1", "e2"]
    assert {event.privacy_mode for event in events(door, tenant).values()} == {"private_gateway"}


# Redaction


def test_content_is_redacted_by_a_process_of_its_own_that_may_die_and_delays_nobody(
    make_door: Any, tmp_path: Path, tenant: str
) -> None:
    door: Door = make_door(SPENDGATE_PRIVACY_MODEL=str(make_model(tmp_path / "model")))
    set_privacy(door, tenant, mode="redacted_trace")
    said = {"prompt": "Ada Brown of Leeds, ada@example.com", "response": "Yes"}
    with door.as_("ingest", tenant=tenant) as client, door.as_("content", tenant=tenant) as reader:

        def kept(id_: str) -> bool:
            answer = client.post("/v1/events", json=call(0, id=id_, content=said))
            assert answer.json()["accepted"] == 1
            return bool("content_refused" not in answer.json())

        until(lambda: kept(f"first-{next(_probes)}"), "the redactor to begin")
        until(lambda: kept("e1"), "content to be redacted in time")
        assert content_of(reader, "e1").json()["prompt"] == "<PERSON> of <LOCATION>, <EMAIL_ADDRESS>"
        assert _redactor_of(door) is not None
        subprocess.run(["kill", "-9", str(_redactor_of(door))], check=True)
        until(lambda: kept(f"second-{next(_probes)}"), "another redactor to begin")
        redactor = _redactor_of(door)
        assert redactor is not None
        os.kill(redactor, signal.SIGSTOP)  # it takes long
        posting = threading.Thread(target=client.post, args=("/v1/events",), kwargs={"json": call(2, content=said)})
        posting.start()
        with httpx.Client(base_url=door.url, timeout=30) as nobody:
            for _ in range(20):
                assert nobody.get("/health/live").status_code == 200
        assert posting.is_alive(), "answered while content was being redacted"
        os.kill(redactor, signal.SIGCONT)
        posting.join()
    found = events(door, tenant)
    assert found["e1"].privacy_mode == "redacted_trace"
    assert found["e1"].prompt_fingerprint is not None


def _redactor_of(door: Door) -> int | None:
    assert door.process is not None
    children = Path(f"/proc/{door.process.pid}/task/{door.process.pid}/children").read_text().split()
    for child in children:
        if b"redaction_process" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    return None


def test_without_a_model_free_text_is_refused_and_the_event_is_kept(shared_door: Door, tenant: str) -> None:
    set_privacy(shared_door, tenant, mode="redacted_trace")
    with shared_door.as_("ingest", tenant=tenant) as client, shared_door.as_("content", tenant=tenant) as reader:
        items = [call(0), call(1, content=CONTENT), call(2, content={"prompt": {"card": "4111 1111 1111 1111"}})]

        def taken() -> Any:
            return client.post("/v1/events", json=items).json()

        said: list[Any] = []

        def is_begun() -> bool:
            said.append(taken().get("content_refused", ()))
            return len(said[-1]) == 1

        until(is_begun, "the redactor to begin")
        (refused,) = said[-1]
        assert (refused["index"], refused["field"]) == (1, "content")
        assert "no free text" in refused["expected"]
        assert content_of(reader, "e1").status_code == 404
        assert content_of(reader, "e2").json()["prompt"] == {"card": "<CREDIT_CARD>"}
    found = events(shared_door, tenant)
    assert [found[f"e{n}"].privacy_mode for n in range(3)] == ["redacted_trace", "fingerprint_only", "redacted_trace"]
    assert CONTENT["prompt"] not in shared_door.output.read_text()


def test_the_door_imports_neither_presidio_nor_spacy() -> None:
    code = "import gateway_shadow.app, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(found.stdout.split())
    assert "gateway_shadow" in imported
    assert imported.isdisjoint({"presidio_analyzer", "spacy", "tldextract", "phonenumbers"})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"privacy_model": Path("/nowhere")}, "SPENDGATE_PRIVACY_MODEL: expected the folder"),
        ({"privacy_model": Path(__file__).parent}, "SPENDGATE_PRIVACY_MODEL: expected the folder"),
        ({"master_key_file": Path("/nowhere")}, "expected lines of base64"),
        ({"content_store": "mysql://x"}, "content store: expected sqlite:///PATH"),
        ({"content_store": "sqlite:///store.db"}, "a database of its own"),
    ],
)
def test_a_door_that_is_set_up_wrongly_is_told_before_it_opens(settings: dict[str, Any], words: str) -> None:
    config = Config("kafka:9092", "sqlite:///store.db", Path("store.pem"), **settings)
    with pytest.raises((Misconfigured, StoreError), match=words):
        privacy_of(config, Changes(Database(config.store)))
