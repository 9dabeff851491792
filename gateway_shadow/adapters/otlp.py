"""OTLP over HTTP: the GenAI spans of an export request, protobuf or JSON, as calls. Other spans are passed over."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from gateway_shadow.adapters.found import BadBody, Found, collected
from gateway_shadow.adapters.otlp_content import contents_of
from spendgate.ledger.reader_options import ReadOptions
from spendgate.ledger.reader_otel import OTel
from spendgate.ledger.reader_rows import Dropped, Row, decode_exact
from spendgate.model.unreadable import UNREADABLE

SOURCE = "otel"
_SCALARS = {
    "string_value": "stringValue", "int_value": "intValue", "double_value": "doubleValue", "bool_value": "boolValue",
}  # fmt: skip


def spans_in_json(body: bytes, tenant: str) -> Found:
    """The calls of a request in OTLP's JSON form. Raises BadBody."""
    try:
        document = decode_exact(body)
    except (*UNREADABLE, ArithmeticError):
        document = None
    if not isinstance(document, dict):
        raise BadBody("body: expected an ExportTraceServiceRequest, as JSON")
    return _found(document, tenant)


def spans_in_protobuf(body: bytes, tenant: str) -> Found:
    """The calls of a request in protobuf. Raises BadBody."""
    request = ExportTraceServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError:
        raise BadBody("body: expected an ExportTraceServiceRequest, in protobuf") from None
    return _found({"resourceSpans": list(_groups(request))}, tenant)


def _found(document: dict[str, Any], tenant: str) -> Found:
    dropped = Dropped()
    reader = OTel(ReadOptions(tenant=tenant, source=SOURCE), dropped)
    found = collected(reader.calls([Row(1, "", document)]), dropped.names)
    if contents := contents_of(document):
        found.contents = {at: contents[each.id] for at, each in enumerate(found.events) if each.id in contents}
    return found


def _groups(request: ExportTraceServiceRequest) -> Iterator[dict[str, Any]]:
    for group in request.resource_spans:
        yield {
            "resource": {"attributes": _attributes(group.resource.attributes)},
            "scopeSpans": [{"spans": [_span(span) for span in scope.spans]} for scope in group.scope_spans],
        }


def _span(span: Span) -> dict[str, Any]:
    """A span as its JSON form has it: ids in hex, times as text."""
    return {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "parentSpanId": span.parent_span_id.hex(),
        "startTimeUnixNano": str(span.start_time_unix_nano),
        "endTimeUnixNano": str(span.end_time_unix_nano),
        "attributes": _attributes(span.attributes),
        "events": [{"attributes": _attributes(event.attributes)} for event in span.events],
        "status": {"code": int(span.status.code)},
    }


def _attributes(pairs: Any) -> list[dict[str, Any]]:
    return [{"key": pair.key, "value": _value(pair.value)} for pair in pairs]


def _value(value: AnyValue) -> dict[str, Any]:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return {"arrayValue": {"values": [_value(each) for each in value.array_value.values]}}
    if kind == "kvlist_value":
        return {"kvlistValue": {"values": _attributes(value.kvlist_value.values)}}
    name = _SCALARS.get(kind or "")
    return {} if name is None else {name: getattr(value, kind or "")}


def answer_in_protobuf(rejected: int, words: str) -> bytes:
    """The answer to a request, of which ``rejected`` spans were not taken; words alone are a warning."""
    partial = ExportTracePartialSuccess(rejected_spans=rejected, error_message=words) if rejected or words else None
    return bytes(ExportTraceServiceResponse(partial_success=partial).SerializeToString())


def answer_in_json(rejected: int, words: str) -> dict[str, Any]:
    """The same as a JSON object."""
    told = {"rejectedSpans": str(rejected), "errorMessage": words}
    return {"partialSuccess": told} if rejected or words else {}
