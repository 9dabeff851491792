"""Inputs to begin with: real payloads of the other tests, what people write, and a corpus of what has been odd."""

import gzip
import json
from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from gateway_shadow.ledger.pages import encode_cursor
from policy_store import api_keys
from spendgate.ledger.delta_selection import Place
from spendgate.ledger.reader_azure import HEADER
from spendgate.model.announcement import Announcement, Document, StagingEntry, StagingSet, record_of
from spendgate.model.canonical import canonical_bytes
from spendgate.model.policy_source import read_policy
from tests.fuzz.targets import TENANT
from tests.ledger.foreign import litellm_row, span, spans, usage

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
ALIKE: Mapping[str, tuple[str, ...]] = {
    "json": (
        "message", "events", "events_lines", "cloudevents", "cloudevents_binary", "litellm", "otlp_json", "question",
        "canonical_policy", "import_litellm", "import_portkey", "import_envoy", "file", "file_jsonl", "file_litellm",
        "file_otel", "file_cloudevents", "policy", "price_table", "decisions", "known_values",
    ),
    "yaml": ("policy", "price_table", "import_litellm", "import_portkey", "import_envoy"),
    "table": ("file", "file_csv", "file_azure", "file_litellm", "bill"),
}  # fmt: skip
"""Folders of the corpus that several targets share; the others have the name of their one target, or ``any``."""

EVENT: dict[str, Any] = {
    "id": "run-42-call-7", "source": "claims-agent", "tenant": TENANT, "time": "2026-05-01T10:00:00Z", "team": "claims",
    "employee": "e-17", "workflow": "prior-authorisation", "vendor": "openai", "model": "gpt-5", "input_tokens": 1200,
    "output_tokens": 350, "cost_nano_usd": 5_000_000, "check_id": "chk-1", "cache_hit": False, "status": "ok",
}  # fmt: skip
CORRECTION = {**EVENT, "id": "c-1", "kind": "correction", "refers_to": "run-42-call-7"}
OUTCOME = {
    "id": "o-1", "tenant": TENANT, "source": "app", "time": "2026-05-01T11:00:00+02:00", "kind": "outcome",
    "refers_to": "run-42-call-7", "outcome": "accepted", "evidence_status": "present", "evidence_id": "ev-1",
}  # fmt: skip
ACTIVATIONS = [
    {"kind": "activation", "id": "a-1", "tenant": TENANT, "time": "2026-05-01T10:00:00Z", "action": "stage",
     "staging": "stg-1", "policy": "monthly", "hash": "0" * 64, "ends": ["stg-0"]},
    {"kind": "activation", "id": "a-2", "tenant": TENANT, "time": "2026-05-01T10:00:00Z", "action": "settings",
     "settings": {"grace_hours": 24, "reasons": "all"}},
    {"kind": "activation", "id": "a-3", "tenant": TENANT, "time": "2026-05-01T10:00:00Z", "action": "end",
     "staging": "stg-1"},
]  # fmt: skip
DECISION = {
    "decision_id": "0-0-0", "tenant": TENANT, "source": "app", "event_id": "e", "event_time": "2026-05-01T10:00:00Z",
    "decided_at": "2026-05-01T10:00:01Z", "verdict": "deny", "engine_version": "2",
    "position": {"topic": "spend.events", "partition": 3, "offset": 7, "index": 0},
    "judged": {"rules": 1, "set": "0" * 32}, "cost_nano_usd": 5, "marks": ["late"],
    "reasons": [{"policy": "p", "staging": "s", "stage": "shadow", "rule": 0, "kind": "budget", "verdict": "deny",
                 "code": "over_cap", "limit_nano_usd": 4, "alerts": [80]}],
}  # fmt: skip
CALLBACK = {
    "id": "chatcmpl-1", "litellm_call_id": "l-1", "call_type": "acompletion", "startTime": 1777629600.0,
    "endTime": 1777629601.5, "response_cost": 0.000225, "model": "openai/gpt-5", "custom_llm_provider": "openai",
    "prompt_tokens": 10, "completion_tokens": 5, "request_tags": ["team:claims", "User-Agent: curl/7.88.1"],
    "messages": [{"role": "user", "content": "hello"}], "cache_hit": None, "status": "success",
    "metadata": {"user_api_key_team_alias": "Customer Success", "requester_metadata": {"workflow": "triage"},
                 "usage_object": {"prompt_tokens_details": {"cached_tokens": 4}}},
}  # fmt: skip
OWN = {**usage(2), "type": "spendgate.event", "data": {"model": "gpt-5", "cost_nano_usd": 5, "team": "red"}}
SPANS = spans(
    span(1, gen_ai__operation__name="chat", gen_ai__system="openai", gen_ai__request__model="gpt-4o",
         gen_ai__usage__input_tokens=12, gen_ai__usage__output_tokens=3, gen_ai__usage__cost=0.5),
    span(2, 1, gen_ai__operation__name="execute_tool"),
)  # fmt: skip
QUESTION = {
    "team": "claims", "employee": "e-1", "workflow": "w", "vendor": "openai", "model": "gpt-4o",
    "input_tokens": 2000, "output_tokens": 500, "estimate_nano_usd": 5000,
}  # fmt: skip
HEADERS = (
    b"ce-specversion: 1.0\nce-id: b1\nce-source: gw%20x\nce-type: prompt\nce-time: 2026-05-01T10:00:00Z\n"
    b"ce-subject: customer-1"
)
CONFIG = """
litellm_settings: {max_budget: 5, budget_duration: 30d, timezone: Europe/Berlin}
router_settings: {provider_budget_config: {openai: {budget_limit: 100, time_period: 1d}}}
model_list: [{model_name: gpt-4o, litellm_params: {model: openai/gpt-4o, max_budget: 0.5, budget_duration: 1h}}]
"""
TABLES = {
    "teams": [{"team_alias": "research", "max_budget": 10, "soft_budget": 8, "budget_duration": "1d", "models": ["*"]}],
    "keys": [{"key_alias": "k", "max_budget": 1e-3, "model_max_budget": {"gpt-4o": {"budget_limit": 1}}}],
}
PORTKEY = {
    "type": "cost", "credit_limit": 1000, "alert_threshold": 800, "periodic_reset": "weekly",
    "conditions": [{"key": "model", "value": "@openai/gpt-4*", "excludes": ["@openai/gpt-4o-mini"]}],
    "group_by": [{"key": "metadata._user"}],
}  # fmt: skip
SERVICE = """
domain: llm_cost
descriptors:
  - key: team
    rate_limit: {unit: day, requests_per_unit: 5000000}
    descriptors: [{key: model, value: gpt-4o, rate_limit: {unit: week, requests_per_unit: 9}, shadow_mode: true}]
"""
GATEWAY = {
    "apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "BackendTrafficPolicy", "metadata": {"name": "p"},
    "spec": {"rateLimit": {"type": "Global", "global": {"rules": [
        {"clientSelectors": [{"headers": [{"name": "x-team-id", "type": "Distinct"}]}],
         "limit": {"requests": 500, "unit": "Hour"}, "cost": {"response": {"from": "Metadata", "metadata": {
             "namespace": "io.envoy.ai_gateway", "key": "llm_cost"}}}}]}}},
}  # fmt: skip
TRACE = f"{HEADER}\r\n2023-11-16 18:17:03.9799600,4808,10\r\n2023-11-16 18:17:04.0319600,3180,8\r\n"
BILL = (
    "ChargePeriodStart,ChargePeriodEnd,BilledCost,EffectiveCost,BillingCurrency,ServiceName,ProviderName,SkuId,SkuMeter\n"
    '2026-11-05T00:00:00Z,2026-11-06T00:00:00Z,12.5,35.2E-7,USD,Model API,"Acme, AI",sku-1,m-1 input\n'
)
CSV = 'When,Cost,Team,Note,model\n2026-11-05T09:00:00Z,0.25,red,x,gpt-4o\n2026-11-05 09:00:00,1e-3,"a, b",,\n'


def seeds(target: str) -> list[bytes]:
    """What a hunt for ``target`` begins with, and what is replayed."""
    shared = [folder for folder, targets in ALIKE.items() if target in targets]
    folders = [CORPUS / name for name in ("any", *shared, target)]
    kept = [path.read_bytes() for folder in folders if folder.exists() for path in sorted(folder.iterdir())]
    return [*_real().get(target, ()), *kept]


@cache
def _real() -> dict[str, list[bytes]]:
    return {target: [_bytes(each) for each in found] for target, found in _payloads()}


def _bytes(payload: Any) -> bytes:
    if isinstance(payload, bytes):
        return payload
    return payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()


def _lines(*items: Any) -> str:
    return "\n".join(map(json.dumps, items)) + "\n"


def _payloads() -> Iterator[tuple[str, list[Any]]]:
    own = [EVENT, [EVENT, CORRECTION, OUTCOME], {**EVENT, "prompt": "x", "team": "two words"}]
    calls = [CALLBACK, [CALLBACK, litellm_row()], _lines(CALLBACK, CALLBACK), {"data": [CALLBACK]}, litellm_row()]
    cloud = [usage(), OWN, [usage(1, tokens="11", type="input", call_id="c"), OWN, {**usage(3), "specversion": "0.3"}]]
    yield "message", [*own, *ACTIVATIONS]
    yield "message_key", [TENANT, "two words", "x" * 128]
    yield "mark", ["Zk3q_0vWTfK8g9r2-A:42", ":0", "a:b:-1"]
    yield "events", own
    yield "events_lines", [_lines(EVENT, CORRECTION, OUTCOME)]
    yield "cloudevents", cloud
    yield "cloudevents_binary", [HEADERS + b"\n\n" + _bytes({"tokens": "12", "type": "input", "model": "gpt-5"})]
    yield "litellm", calls
    yield "otlp_json", [SPANS]
    yield "otlp_protobuf", [_protobuf()]
    yield "question", [QUESTION, {**QUESTION, "prompt": "x"}]
    yield "question_headers", ["".join(f"{name}: {value}\n" for name, value in QUESTION.items())]
    yield "packed_body", [gzip.compress(_bytes(EVENT), mtime=0), gzip.compress(b"\0" * 2**16, mtime=0)]
    yield "decisions", [[DECISION], []]
    yield "policy_record", list(_records())
    yield "known_values", [{"team": ["claims"], "model": ["gpt-5"]}, _lines(EVENT, OUTCOME)]
    yield "cursor", [encode_cursor(Place("Zk3q_0vWTfK8g9r2-A", 3, 2**40, 7))]
    yield "key_text", [api_keys.text_of(api_keys.Parts("abcDEF012345", "s" * 43))]
    yield from _written()
    yield from _files(own, calls, cloud)


def _records() -> Iterator[bytes]:
    announced = Announcement(tenant=TENANT, staging="stg-1", policy="monthly", hash="0" * 64, state="staged")
    force = StagingSet("0" * 32, (StagingEntry("stg-1", "monthly", "0" * 64, "shadow"),))
    for entry in (announced, force, Document(sha256(b"{}").hexdigest(), b"{}")):
        yield b"\n".join(record_of(entry))


def _written() -> Iterator[tuple[str, list[Any]]]:
    policies = sorted((ROOT / "examples").glob("*.yaml"))
    yield "policy", [path.read_bytes() for path in policies]
    yield "canonical_policy", [canonical_bytes(read_policy(path.read_text(), path.name)) for path in policies]
    yield "price_table", [path.read_bytes() for path in sorted((ROOT / "examples" / "prices").glob("*.yaml"))]
    yield "import_litellm", [CONFIG, TABLES]
    yield "import_portkey", [PORTKEY, [PORTKEY], {"data": [PORTKEY]}]
    yield "import_envoy", [SERVICE, GATEWAY]
    yield "import_helicone", ["1000;w=86400;u=cents;s=user", 'Helicone-RateLimit-Policy: "50;w=3600;u=cents"']


def _files(own: list[Any], calls: list[Any], cloud: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    tables = [CSV, TRACE, BILL]
    yield "file", [*own, *calls, *cloud, SPANS, *tables, _parquet(), gzip.compress(CSV.encode(), mtime=0)]
    yield "file_csv", [CSV]
    yield "file_jsonl", [_lines(EVENT, OUTCOME), _lines([EVENT, CORRECTION])]
    yield "file_azure", [TRACE]
    yield "file_litellm", [*calls, "request_id,startTime,spend,model,metadata\nr,2026-11-05,0.5,m,{}\n"]
    yield "file_otel", [SPANS, SPANS + b"\n" + SPANS]
    yield "file_cloudevents", cloud
    yield "file_parquet", [_parquet(), _foreign_parquet()]
    yield "bill", [BILL, BILL.replace("ProviderName", "ServiceProviderName")]


def _protobuf() -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "shop"
    made = group.scope_spans.add().spans.add(
        trace_id=bytes(range(16)), span_id=bytes(range(8)), name="chat", start_time_unix_nano=1_762_333_200_123_456_789,
        end_time_unix_nano=1_762_333_201_000_000_000,
    )  # fmt: skip
    for name, value in (("gen_ai.operation.name", "chat"), ("gen_ai.system", "openai"), ("gen_ai.request.model", "m")):
        made.attributes.add(key=name).value.string_value = value
    made.attributes.add(key="gen_ai.usage.input_tokens").value.int_value = 12
    made.attributes.add(key="gen_ai.usage.cost").value.double_value = 0.5
    made.attributes.add(key="gen_ai.prompt").value.string_value = "hello"
    made.status.code = 2  # type: ignore[assignment]  # an error, by its number
    return bytes(request.SerializeToString())


def _parquet() -> bytes:
    rows = [{**EVENT, "time": "2026-05-01T10:00:00+00:00"}]
    table = pa.Table.from_pylist([{name: row.get(name) for name in row if name != "time"} for row in rows])
    times = pa.array([1_777_629_600_000_000], pa.timestamp("us", "UTC"))
    return _written_parquet(table.append_column("time", times))


def _foreign_parquet() -> bytes:
    return _written_parquet(pa.table({"time": ["2026-11-05T09:00:00Z", ""], "cost_usd": [0.25, -1.0], "x": [1, 2]}))


def _written_parquet(table: pa.Table) -> bytes:
    sink = BytesIO()
    pq.write_table(table, sink, compression="none")
    return sink.getvalue()
