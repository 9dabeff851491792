"""One event's way as one trace: through the door, onto the log, through the agent, Redis and its decision, into the
ledger; told by one setting, and of nothing that a sender chose."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from aiokafka import AIOKafkaConsumer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from policy_store.change import Changes
from telemetry import tracing
from tests.door.conftest import TENANT, Door
from tests.door.test_end_to_end import door_onto, settle, stage
from tests.live.conftest import make_world, world
from tests.live.samples import MONTHLY
from tests.live.waiting import until
from tests.live.world import World

__all__ = ["make_world", "world"]

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SENT_BY = f"00-{TRACE}-00f067aa0ba902b7-01"


def a_call() -> dict[str, str | int]:
    """One that has just been made, and says what nobody may be told."""
    return {
        "id": "SENTINEL-id", "source": "SENTINEL-source", "time": datetime.now(UTC).isoformat(),
        "team": "SENTINEL-team", "model": "SENTINEL-model", "vendor": "openai", "cost_nano_usd": 1_000_000,
    }  # fmt: skip


@dataclass
class Receiver:
    """An OTLP receiver. ``spans``: (trace, service, name) of all that it was sent."""

    bodies: list[bytes] = field(default_factory=list)

    @property
    def spans(self) -> list[tuple[str, str, str]]:
        return [
            (span.trace_id.hex(), service_of(resource), span.name)
            for body in list(self.bodies)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def of(self, trace: str) -> set[tuple[str, str]]:
        """Services and names of one trace."""
        return {(service, name) for found, service, name in self.spans if found == trace}


def service_of(resource: ResourceSpans) -> str:
    """Whose spans they are."""
    return next(each.value.string_value for each in resource.resource.attributes if each.key == "service.name")


@pytest.fixture
def receiver() -> Iterator[tuple[Receiver, str]]:
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/v1/traces":
                kept.bodies.append(body if self.headers.get("content-encoding") != "gzip" else b"")
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """No noise."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield kept, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


async def traces_on(world: World, topic: str) -> list[str | None]:
    """The traces that the records of a topic name, as Kafka has them."""
    partitions = world.topics.events.partitions
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=world.broker.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        found: list[str | None] = []
        ends = await consumer.end_offsets(consumer.assignment())
        while sum(ends.values()) > len(found):
            for records in (await consumer.getmany(timeout_ms=1000, max_records=partitions * 100)).values():
                for record in records:
                    named = dict(record.headers).get(tracing.HEADER)
                    found.append(None if named is None else named.decode().split("-")[1])
        return found
    finally:
        await consumer.stop()


def started(world: World, folder: Path, **settings: str) -> Door:
    door = door_onto(world, folder, SPENDGATE_REDIS=world.redis_url, SPENDGATE_CHECK_S="5", **settings)
    world.worker(**settings)
    return door


def ended(door: Door) -> None:
    door.stop()
    door.database.close()


@pytest.mark.asyncio
async def test_one_event_is_one_trace_through_door_agent_redis_decision_and_ledger(
    world: World, tmp_path: Path, receiver: tuple[Receiver, str]
) -> None:
    kept, url = receiver
    door = started(world, tmp_path, SPENDGATE_OTLP_ENDPOINT=url)
    try:
        world.recorder("ledger-decisions", SPENDGATE_OTLP_ENDPOINT=url)
        stage(door, world, MONTHLY)
        with door.as_("ingest", traceparent=SENT_BY) as client:
            assert client.post("/v1/events", json=[a_call()]).status_code == 202
        settle(door, world)
        wanted = {
            ("spendgate-door", "POST /v1/events"), ("spendgate-door", "events publish"),
            ("spendgate-worker", f"{world.prefix} process"), ("spendgate-worker", "redis read"),
            ("spendgate-worker", "redis apply"), ("spendgate-worker", "decisions publish"),
            ("spendgate-ledger-decisions", f"{world.prefix}ledger-decisions process"),
        }  # fmt: skip
        until(lambda: wanted <= kept.of(TRACE), "one trace", 60, lambda: str(wanted - kept.of(TRACE)))
        with door.as_("ingest") as client:
            assert client.post("/v1/check", json={"team": "SENTINEL-team"}).status_code == 200
        until(
            lambda: any(name == "POST /v1/check" for _, _, name in kept.spans)
            and any((service, name) == ("spendgate-door", "redis read") for _, service, name in kept.spans),
            "a check and its look at Redis", 60, lambda: str(kept.spans),
        )  # fmt: skip
        assert await traces_on(world, world.topics.decisions.name) == [TRACE]
        told = b"".join(kept.bodies)
        assert b"SENTINEL" not in told
        assert TENANT.encode() not in told
    finally:
        ended(door)


@pytest.mark.asyncio
async def test_where_nothing_is_set_no_record_names_a_trace_even_if_the_sender_does(
    world: World, tmp_path: Path
) -> None:
    door = started(world, tmp_path)
    try:
        with door.as_("ingest", traceparent=SENT_BY) as client:
            assert client.post("/v1/events", json=[a_call()]).status_code == 202
        settle(door, world)
        assert await traces_on(world, world.topics.events.name) == [None]
        assert await traces_on(world, world.topics.decisions.name) == [None]
    finally:
        ended(door)


def test_off_nothing_is_wrapped_and_nothing_named() -> None:
    thing = Changes.__new__(Changes)
    assert not tracing.is_on()
    assert tracing.traced(thing, "redis", "client") is thing
    assert (tracing.traceparent(), tracing.headers(), tracing.trace_label()) == (None, None, {})
    assert tracing.traceparent_in([(tracing.HEADER, SENT_BY.encode())]) is None


def test_a_header_without_a_value_names_no_trace_and_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_tracer", object())
    assert tracing.traceparent_in([("other", None), (tracing.HEADER, None)]) is None
    assert tracing.traceparent_in([(tracing.HEADER, None), (tracing.HEADER, SENT_BY.encode())]) == SENT_BY


@pytest.mark.parametrize("said", ["collector:4318", "ftp://collector", "http://"], ids=["bare", "ftp", "no-host"])
def test_an_endpoint_that_is_no_url_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv(tracing.ENDPOINT, said)
    with pytest.raises(ValueError, match=f"{tracing.ENDPOINT}: expected the URL"):
        tracing.set_up("spendgate-door")
    assert not tracing.is_on()
