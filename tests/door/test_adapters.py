"""Every adapter: what is taken, what is refused by name, and that content never comes through."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cloudevents.core.bindings import http as cloudevents_http
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gateway_shadow.adapters.cloudevents import binary, structured
from gateway_shadow.adapters.events import SOURCE, events_of
from gateway_shadow.adapters.found import BadBody, Found
from gateway_shadow.adapters.litellm import litellm_events
from gateway_shadow.adapters.otlp import answer_in_json, answer_in_protobuf, spans_in_json, spans_in_protobuf
from spendgate.model.event import Event, encode_events

TENANT = "acme"
SECRET = "the-patient-said"
SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "litellm_generic_api_batch.json"


def call(number: int = 0, **fields: Any) -> dict[str, Any]:
    """An event as a sender writes it."""
    return {"id": f"e{number}", "time": "2026-05-01T10:00:00Z", "model": "gpt-5", "cost_nano_usd": 1000, **fields}


def everything(found: Found) -> str:
    """All that goes on from an adapter, as text."""
    return encode_events(found.events).decode() + repr(found.problems) + repr(found.dropped)


# Our own events


def test_an_event_an_array_and_lines_are_the_same_events() -> None:
    items = [call(n, team="red") for n in range(3)]
    array = events_of(json.dumps(items).encode(), TENANT)
    lines = events_of("\n".join(map(json.dumps, items)).encode() + b"\n\n", TENANT, lines=True)
    single = [events_of(json.dumps(item).encode(), TENANT).events[0] for item in items]
    assert array.events == lines.events == single
    assert {(event.tenant, event.source) for event in array.events} == {(TENANT, SOURCE)}


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({"tenant": "other"}, "tenant"),
        ({"prompt": SECRET}, "prompt"),
        ({f"{SECRET} again": 1}, "(not an identifier)"),
        ({"team": f"{SECRET} again"}, "team"),
        ({"id": None}, "id"),
        ({"time": "2026-05-01T10:00:00"}, "time"),
        ({"cost_nano_usd": -1}, "cost_nano_usd"),
        ({"cost_nano_usd": 1.5}, "cost_nano_usd"),
        ({"input_tokens": 10**30}, "input_tokens"),
        ({"kind": "outcome"}, "refers_to"),
        ({"kind": "activation"}, None),
        ({"outcome": SECRET}, "outcome"),
        ({"model": {"deep": SECRET}}, "model"),
    ],
)
def test_what_is_wrong_with_an_item_is_named_and_its_neighbours_are_taken(
    fields: dict[str, Any], at_fault: str | None
) -> None:
    items = [call(0), call(1, **fields), call(2)]
    for found in (
        events_of(json.dumps(items).encode(), TENANT),
        events_of("\n".join(map(json.dumps, items)).encode(), TENANT, lines=True),
    ):
        assert [event.id for event in found.events] == ["e0", "e2"]
        assert [(problem.place, problem.field) for problem in found.problems] == [(1, at_fault)]
        assert SECRET not in everything(found)


def test_more_items_than_a_message_holds_keep_their_places() -> None:
    items = [call(n) for n in range(1203)]
    items[1100]["team"] = "two words"
    found = events_of(json.dumps(items).encode(), TENANT)
    assert len(found.events) == 1202
    assert [problem.place for problem in found.problems] == [1100]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"x", b"[", b"[{]", b"\xff", b'{"id": "', b"[1, 2", b'{"id": "\\ud800"}', b"[" * 100_000]
)
def test_what_is_no_json_is_told(body: bytes) -> None:
    with pytest.raises(BadBody, match="expected a JSON object"):
        events_of(body, TENANT)


def test_a_line_that_is_no_json_does_not_touch_the_next() -> None:
    body = b"\n".join([json.dumps(call(0)).encode(), b'{"id": "', json.dumps(call(2)).encode()])
    found = events_of(body, TENANT, lines=True)
    assert [event.id for event in found.events] == ["e0", "e2"]
    assert [problem.place for problem in found.problems] == [1]


def test_an_activation_in_a_body_is_an_item_that_is_refused() -> None:
    found = events_of(json.dumps({"kind": "activation", "id": "a", "tenant": TENANT}).encode(), TENANT)
    assert found.events == []
    assert len(found.problems) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.dictionaries(st.sampled_from([*Event.__struct_fields__, "prompt", "messages"]), JSON, max_size=6)


@given(items=st.lists(st.one_of(JSON, FIELDS, FIELDS.map(lambda extra: {**call(), **extra})), min_size=1, max_size=6))
def test_every_item_is_an_event_or_has_a_problem_whatever_it_is(items: list[Any]) -> None:
    found = events_of(json.dumps(items).encode(), TENANT)
    assert len(found.events) + len(found.problems) == len(items)
    assert all(event.tenant == TENANT for event in found.events)
    assert len({problem.place for problem in found.problems}) == len(found.problems)


@given(body=st.binary(max_size=200))
def test_no_bytes_break_an_adapter(body: bytes) -> None:
    for adapter in (events_of, structured, litellm_events, spans_in_json, spans_in_protobuf):
        assert told(adapter, body) is None or str(told(adapter, body)).startswith("body: expected")


def told(adapter: Callable[[bytes, str], Found], body: bytes) -> BadBody | None:
    """What an adapter says of a body that is not its own."""
    try:
        adapter(body, TENANT)
    except BadBody as bad:
        return bad
    return None


# CloudEvents


def usage(number: int = 0, **data: Any) -> CloudEvent:
    return CloudEvent(
        {
            "id": f"c{number}", "source": "/gateway", "type": "prompt", "subject": "customer-1",
            "time": datetime(2026, 5, 1, 10, tzinfo=UTC), "datacontenttype": "application/json",
        },
        {"tokens": "11", "model": "gpt-5", "type": "input", "provider": "openai", "messages": SECRET, **data},
    )  # fmt: skip


def test_the_sdks_own_messages_are_read_in_all_three_modes() -> None:
    from cloudevents.core.formats.json import JSONFormat

    one = cloudevents_http.to_structured(usage(), JSONFormat())
    raw = cloudevents_http.to_binary(usage(), JSONFormat())
    batch = b"[" + bytes(one.body) + b"]"
    read = [
        structured(bytes(one.body), TENANT),
        structured(batch, TENANT),
        binary({name.lower(): value for name, value in raw.headers.items()}, bytes(raw.body), TENANT),
    ]
    for found in read:
        (event,) = found.events
        assert (event.id, event.source, event.input_tokens, event.customer) == ("c0", "/gateway", 11, "customer-1")
        assert SECRET not in everything(found)
        assert found.dropped == ["messages"]


def test_our_own_fields_may_come_in_a_cloudevent() -> None:
    envelope = {
        "specversion": "1.0",
        "id": "o1",
        "source": "app",
        "type": "spendgate.outcome",
        "time": "2026-05-01T10:00:00Z",
    }
    data = {"kind": "outcome", "refers_to": "c0", "outcome": "accepted"}
    found = structured(json.dumps([{**envelope, "data": data}, {**envelope, "id": "o2", "data": [1]}]).encode(), TENANT)
    assert [(event.id, event.kind, event.outcome) for event in found.events] == [("o1", "outcome", "accepted")]
    assert [problem.place for problem in found.problems] == [1]


@pytest.mark.parametrize(
    ("changes", "at_fault"),
    [({"specversion": "0.3"}, "specversion"), ({"id": ""}, "id"), ({"source": None}, "source"), ({"data": {}}, "data")],
)
def test_a_cloudevent_without_what_every_one_has_is_refused(changes: dict[str, Any], at_fault: str) -> None:
    good = {"specversion": "1.0", "id": "c1", "source": "s", "type": "t", "time": "2026-05-01T10:00:00Z",
            "data": {"input_tokens": 1}}  # fmt: skip
    found = structured(json.dumps([good, {**good, **changes}]).encode(), TENANT)
    assert [event.id for event in found.events] == ["c1"]
    assert [(problem.place, problem.field) for problem in found.problems] == [(1, at_fault)]


# LiteLLM


def litellm(number: int = 0, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{number}", "litellm_call_id": f"l{number}", "call_type": "acompletion",
        "startTime": 1_780_000_000.5, "endTime": 1_780_000_001.0, "response_cost": 0.000225, "model": "gpt-5",
        "custom_llm_provider": "openai", "prompt_tokens": 10, "completion_tokens": 5, "status": "success",
        "messages": [{"role": "user", "content": SECRET}], "response": {"choices": [SECRET]},
        "request_tags": ["team:red", "workflow:claims"], "metadata": {"user_api_key_hash": "a" * 64}, **fields,
    }  # fmt: skip


def test_all_three_framings_of_litellm_are_the_same_calls_without_their_content() -> None:
    items = [litellm(n) for n in range(3)]
    framings = [
        json.dumps(items).encode(),
        "\n".join(map(json.dumps, items)).encode(),
        json.dumps({"data": items}).encode(),
    ]
    read = [litellm_events(framing, TENANT) for framing in framings]
    assert read[0].events == read[1].events == read[2].events
    assert litellm_events(json.dumps(items[0], indent=2).encode(), TENANT).events == read[0].events[:1]
    first = read[0].events[0]
    assert (first.id, first.team, first.workflow, first.cost_nano_usd) == ("chatcmpl-0", "red", "claims", 225_000)
    for found in read:
        assert SECRET not in everything(found)
        assert found.dropped == ["messages", "response"]


def test_a_call_of_litellm_that_cannot_be_read_does_not_touch_the_others() -> None:
    items = [litellm(0), litellm(1, id=None, litellm_call_id=None), litellm(2, startTime=SECRET), "x", litellm(4)]
    found = litellm_events(json.dumps(items).encode(), TENANT)
    assert [event.id for event in found.events] == ["chatcmpl-0", "chatcmpl-4"]
    assert [(problem.place, problem.field) for problem in found.problems] == [(1, "id"), (2, "time"), (3, "(row)")]
    assert SECRET not in everything(found)


@pytest.mark.skipif(not SAMPLE.exists(), reason="the recorded batch lies beside the checkout only")
def test_a_recorded_batch_comes_through_without_its_sentinels() -> None:
    found = litellm_events(SAMPLE.read_bytes(), TENANT)
    assert len(found.events) == 3
    assert "SENTINEL" not in everything(found)


# OpenTelemetry


def exported(*, content: bool = True) -> Any:
    """An export request by the SDK's own encoder: a call, its parent workflow, and a database's span."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": "claims"}))
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("t")
    with tracer.start_as_current_span("workflow", attributes={"gen_ai.operation.name": "invoke_workflow"}):
        with tracer.start_as_current_span("db", attributes={"db.system": "postgresql"}):
            pass
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "OpenAI", "gen_ai.request.model": "gpt-5",
            "gen_ai.response.model": "gpt-5-2026", "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.cache_read.input_tokens": 40, "gen_ai.usage.output_tokens": 7, "spendgate.team": "red",
        }  # fmt: skip
        if content:
            attributes["gen_ai.input.messages"] = SECRET
        with tracer.start_as_current_span("chat", attributes=attributes):
            pass
    return encode_spans(memory.get_finished_spans())


def as_otlp_json(request: Any) -> bytes:
    """OTLP's JSON form: protobuf's, but with ids in hex."""
    from base64 import b64decode

    from google.protobuf.json_format import MessageToDict

    document = MessageToDict(request)
    for group in document["resourceSpans"]:
        for scope in group["scopeSpans"]:
            for span in scope["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = b64decode(span[name]).hex()
    return json.dumps(document).encode()


def test_genai_spans_become_calls_and_protobuf_and_json_say_the_same() -> None:
    request = exported()
    proto, text = spans_in_protobuf(request.SerializeToString(), TENANT), spans_in_json(as_otlp_json(request), TENANT)
    assert proto.events == text.events
    (event,) = proto.events
    assert (event.vendor, event.model, event.team, event.project) == ("openai", "gpt-5-2026", "red", "claims")
    assert (event.input_tokens, event.cached_input_tokens, event.output_tokens) == (100, 40, 7)
    for found in (proto, text):
        assert SECRET not in everything(found)
        assert found.dropped == ["gen_ai.input.messages"]


def test_the_answer_tells_how_many_spans_were_not_taken() -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    answer = ExportTraceServiceResponse.FromString(answer_in_protobuf(3, "why"))
    assert (answer.partial_success.rejected_spans, answer.partial_success.error_message) == (3, "why")
    assert answer_in_protobuf(0, "") == b""
    assert answer_in_json(3, "why") == {"partialSuccess": {"rejectedSpans": "3", "errorMessage": "why"}}
    assert answer_in_json(0, "") == {}
    warned = ExportTraceServiceResponse.FromString(answer_in_protobuf(0, "why"))
    assert (warned.partial_success.rejected_spans, warned.partial_success.error_message) == (0, "why")
    assert answer_in_json(0, "why")["partialSuccess"]["rejectedSpans"] == "0"


def test_events_of_an_adapter_are_what_the_log_takes() -> None:
    for found in (
        events_of(json.dumps([call(n) for n in range(5)]).encode(), TENANT),
        litellm_events(json.dumps([litellm()]).encode(), TENANT),
        spans_in_protobuf(exported().SerializeToString(), TENANT),
    ):
        assert msgspec.json.decode(encode_events(found.events), type=list[Event]) == found.events
