"""Events in over HTTP: what was acknowledged stands on the log, and what was not is said."""

import gzip
import json
from hashlib import sha256
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from agents.delivery import Message
from spendgate.model.decode import decode_message
from spendgate.model.event import Event
from tests.door.conftest import TENANT, Door, MakeDoor
from tests.door.test_adapters import SECRET, as_otlp_json, call, exported, litellm
from tests.live.waiting import until
from tests.stack import OwnKafka


@pytest.fixture
def tenant(request: pytest.FixtureRequest) -> str:
    """A tenant of the test's own."""
    return f"ingest-{sha256(request.node.name.encode()).hexdigest()[:8]}"


def rows_of(door: Door, tenant: str) -> list[Message]:
    """The messages of a tenant on the topic."""
    return [row for row in door.rows() if row.key == tenant.encode()]


def on_the_log(door: Door, tenant: str) -> list[Event]:
    """Every event of a tenant on the topic, by the law of the log."""
    found: list[Event] = []
    for row in rows_of(door, tenant):
        decoded = decode_message(row.key, row.value, row.partition, door.topics.events.partitions)
        assert decoded.faults == []
        found += decoded.events
    return found


def test_what_is_accepted_stands_on_the_log_for_the_tenant_of_the_key(shared_door: Door, tenant: str) -> None:
    with shared_door.as_("ingest", tenant=tenant) as client:
        one = client.post("/v1/events", json=call(0, team="red"))
        many = client.post("/v1/events", json=[call(n) for n in range(1, 1201)])
        lines = "\n".join(json.dumps(call(n)) for n in (1201, 1202))
        typed = client.post("/v1/events", content=lines, headers={"Content-Type": "application/x-ndjson"})
    assert [answer.status_code for answer in (one, many, typed)] == [202, 202, 202]
    assert [answer.json()["accepted"] for answer in (one, many, typed)] == [1, 1200, 2]
    found = on_the_log(shared_door, tenant)
    assert {event.tenant for event in found} == {tenant}
    assert [event.id for event in found] == [f"e{n}" for n in range(1203)]


def test_of_a_batch_the_good_are_taken_and_the_others_named(shared_door: Door, tenant: str) -> None:
    with shared_door.as_("ingest", tenant=tenant) as client:
        answer = client.post("/v1/events", json=[call(0), call(1, prompt=SECRET), call(2, tenant="other"), call(3)])
        nothing = client.post("/v1/events", json=[call(4, messages=[SECRET])])
    assert answer.status_code == 202
    body = answer.json()
    assert body["accepted"] == 2
    assert [(each["index"], each["field"]) for each in body["refused"]] == [(1, "prompt"), (2, "tenant")]
    assert nothing.status_code == 422
    assert nothing.headers["content-type"] == "application/problem+json"
    assert [each["field"] for each in nothing.json()["errors"]] == ["messages"]
    assert SECRET not in answer.text + nothing.text
    assert [event.id for event in on_the_log(shared_door, tenant)] == ["e0", "e3"]


def test_what_has_no_cost_is_priced_before_the_log(shared_door: Door, tenant: str) -> None:
    known = {key: value for key, value in call(0, vendor="openai", model="gpt-4o").items() if key != "cost_nano_usd"}
    priced = {**known, "input_tokens": 1_000_000, "output_tokens": 0}
    unknown = {**priced, "id": "e1", "model": "nobody-sells-this"}
    with shared_door.as_("ingest", tenant=tenant) as client:
        assert client.post("/v1/events", json=[priced, unknown]).json()["accepted"] == 2
    first, second = on_the_log(shared_door, tenant)
    assert (first.cost_source, first.cost_nano_usd) == ("priced", 2_500_000_000)
    assert (second.cost_source, second.cost_nano_usd) == ("unpriced", None)


def test_litellm_sends_without_a_content_type_and_leaves_its_content_behind(shared_door: Door, tenant: str) -> None:
    body = json.dumps([litellm(n) for n in range(3)]).encode()
    with shared_door.as_("ingest", tenant=tenant) as client:
        request = client.build_request("POST", "/v1/ingest/litellm", content=body)
        assert "content-type" not in request.headers
        answer = client.send(request)
    assert answer.json() == {"accepted": 3, "refused": [], "dropped": ["messages", "response"]}
    assert SECRET.encode() not in b"".join(row.value or b"" for row in rows_of(shared_door, tenant))
    assert SECRET not in shared_door.output.read_text()
    assert {event.team for event in on_the_log(shared_door, tenant)} == {"red"}


def test_opentelemetrys_own_exporter_sends_its_genai_spans(shared_door: Door, tenant: str) -> None:
    bearer = {"Authorization": f"Bearer {shared_door.key('ingest', tenant=tenant)}"}
    exporter = OTLPSpanExporter(f"{shared_door.url}/v1/traces", headers=bearer, compression=Compression.Gzip)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("t")
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5",
        "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5, "gen_ai.input.messages": SECRET,
    }  # fmt: skip
    with tracer.start_as_current_span("chat", attributes=attributes):
        pass
    provider.shutdown()
    (event,) = on_the_log(shared_door, tenant)
    assert (event.model, event.input_tokens) == ("gpt-5", 10)
    assert SECRET.encode() not in b"".join(row.value or b"" for row in rows_of(shared_door, tenant))


def test_otlp_is_answered_in_the_form_that_it_came_in(shared_door: Door, tenant: str) -> None:
    request = exported()
    with shared_door.as_("ingest", tenant=tenant) as client:
        proto = client.post(
            "/v1/traces",
            content=gzip.compress(request.SerializeToString()),
            headers={"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"},
        )
        text = client.post("/v1/traces", content=as_otlp_json(request), headers={"Content-Type": "application/json"})
        other = client.post("/v1/traces", content=b"x", headers={"Content-Type": "text/plain"})
    assert (proto.status_code, proto.headers["content-type"], proto.content) == (200, "application/x-protobuf", b"")
    assert (text.status_code, text.json()) == (200, {})
    assert other.status_code == 415
    assert len({event.id for event in on_the_log(shared_door, tenant)}) == 1


def test_cloudevents_come_structured_batched_and_binary(shared_door: Door, tenant: str) -> None:
    envelope = {"specversion": "1.0", "source": "gw", "type": "prompt", "time": "2026-05-01T10:00:00Z"}
    data = {"input_tokens": 5, "model": "gpt-5"}
    with shared_door.as_("ingest", tenant=tenant) as client:
        one = client.post(
            "/v1/events",
            content=json.dumps({**envelope, "id": "c1", "data": data}),
            headers={"Content-Type": "application/cloudevents+json"},
        )
        batch = client.post(
            "/v1/events",
            content=json.dumps([{**envelope, "id": f"c{n}", "data": data} for n in (2, 3)]),
            headers={"Content-Type": "application/cloudevents-batch+json; charset=utf-8"},
        )
        binary = client.post(
            "/v1/events", json=data, headers={f"ce-{key}": value for key, value in {**envelope, "id": "c4"}.items()}
        )
    assert [answer.json()["accepted"] for answer in (one, batch, binary)] == [1, 2, 1]
    assert sorted(event.id for event in on_the_log(shared_door, tenant)) == ["c1", "c2", "c3", "c4"]


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"x", {"Content-Type": "application/json"}, 400),
        (b"", {"Content-Type": "application/json"}, 400),
        (b"{}", {"Content-Type": "text/html"}, 415),
        (b"{}", {"Content-Encoding": "br"}, 415),
        (b"not gzip", {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(b"[" + b" " * 20_000_000 + b"]"), {"Content-Encoding": "gzip"}, 413),
        (b" " * 5_000_000, {"Content-Type": "application/json"}, 413),
        (b"[" * 1_000_000, {"Content-Type": "application/json"}, 400),
    ],
)
def test_what_cannot_be_read_is_a_problem_with_a_request_id(
    shared_door: Door, content: bytes, headers: dict[str, str], status: int
) -> None:
    with shared_door.as_("ingest") as client:
        answer = client.post("/v1/events", content=content, headers={**headers, "X-Request-Id": "mine-1"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["request_id"] == answer.headers["x-request-id"] == "mine-1"


def test_only_a_key_for_sending_sends(shared_door: Door) -> None:
    for role in ("viewer", "editor", "approver", "operator"):
        with shared_door.as_(role) as client:
            assert client.post("/v1/events", json=call()).status_code == 403
    nobody = httpx.post(f"{shared_door.url}/v1/events", json=call())
    assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, "Bearer")


def test_without_kafka_a_sender_is_told_to_come_back_and_nothing_is_lost(
    make_door: MakeDoor, own_kafka: OwnKafka
) -> None:
    broker = own_kafka()
    door = make_door(broker.bootstrap, SPENDGATE_HTTP_ACKNOWLEDGED_S="2")
    with door.as_("ingest") as client, door.as_("viewer") as reader:
        until(lambda: client.post("/v1/events", json=call(0)).status_code == 202, "a first event taken")
        broker.pause()
        away = client.post("/v1/events", json=call(1))
        assert (away.status_code, away.headers["retry-after"]) == (503, "1")
        assert reader.get("/v1/policies").status_code == 200
        broker.resume()
        until(lambda: client.post("/v1/events", json=call(1)).status_code == 202, "events taken again")
    assert {event.id for event in on_the_log(door, TENANT)} == {"e0", "e1"}


def test_a_stop_loses_nothing_that_was_accepted(door: Door) -> None:
    taken = 0
    with door.as_("ingest") as client:
        for number in range(20):
            taken += client.post("/v1/events", json=[call(number * 100 + n) for n in range(100)]).json()["accepted"]
    assert door.stop() == 0
    assert len(on_the_log(door, TENANT)) == taken == 2000
    assert "Traceback" not in door.output.read_text()
