"""Traces by OpenTelemetry, if SPENDGATE_OTLP_ENDPOINT names where they go; else nothing of it is even imported.

A span says which step of which record it was and how long it took: never a tenant, never anything of an event.
"""

import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Tracer

ENDPOINT = "SPENDGATE_OTLP_ENDPOINT"
HEADER = "traceparent"
"""Of W3C Trace Context; in HTTP and on Kafka's records."""
Kind = Literal["internal", "server", "client", "producer", "consumer"]
Value = str | int
Headers = list[tuple[str, bytes]]
T = TypeVar("T")

_tracer: "Tracer | None" = None
_ends: list[Callable[[], None]] = []


def set_up(service: str) -> None:
    """Send the spans of this process to SPENDGATE_OTLP_ENDPOINT, by OTLP over HTTP, as of ``service``; without it do
    nothing. What OpenTelemetry reads from its own variables (the sampler, its headers) holds too. Raises ValueError."""
    endpoint = os.environ.get(ENDPOINT)
    if not endpoint:
        return
    if urlsplit(endpoint).scheme not in ("http", "https") or not urlsplit(endpoint).hostname:
        raise ValueError(f"{ENDPOINT}: expected the URL of an OTLP/HTTP receiver, such as http://localhost:4318")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    global _tracer
    provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
    _tracer = provider.get_tracer("spendgate")
    _ends.append(provider.shutdown)


def shut_down() -> None:
    """Send what has not been sent."""
    while _ends:
        _ends.pop()()


def is_on() -> bool:
    """Whether there is anybody to tell."""
    return _tracer is not None


def span(
    name: str, kind: Kind = "internal", parent: str | None = None, others: tuple[str, ...] = (), **told: Value
) -> AbstractContextManager[object]:
    """A span over what is done within, which is the current one there. ``parent``: a traceparent; default the current
    span. ``others``: traceparents of what it also stands for. ``told``: attributes, a double underscore as a dot."""
    if _tracer is None:
        return nullcontext()
    return _span(_tracer, name, kind, parent, others, told)


@contextmanager
def _span(
    tracer: "Tracer", name: str, kind: Kind, parent: str | None, others: tuple[str, ...], told: Mapping[str, Value]
) -> Iterator[object]:
    from opentelemetry.trace import Link, SpanKind, get_current_span

    links = [Link(get_current_span(_context(each)).get_span_context()) for each in others]
    attributes = {name.replace("__", "."): value for name, value in told.items()}
    with tracer.start_as_current_span(
        name, None if parent is None else _context(parent), SpanKind[kind.upper()], attributes, links,
        record_exception=False, set_status_on_exception=False,
    ) as made:  # fmt: skip
        try:
            yield made
        except BaseException as error:
            made.set_attribute("error.type", type(error).__name__)  # not its words, which may quote what was sent
            raise


def _context(traceparent: str) -> "Context":
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({HEADER: traceparent})


def traceparent() -> str | None:
    """Of the current span; None where there is none."""
    if _tracer is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get(HEADER)


def headers() -> Headers | None:
    """What a record is sent with, for its reader to go on; None where nothing is."""
    found = traceparent()
    return None if found is None else [(HEADER, found.encode())]


def traceparent_in(headers: Sequence[tuple[str, bytes | None]]) -> str | None:
    """What a record's headers tell, if anybody here is to go on. A header may be there without a value."""
    if _tracer is None:
        return None
    return next((value.decode("latin-1") for name, value in headers if name == HEADER and value is not None), None)


def traced(inner: T, name: str, kind: Kind) -> T:
    """``inner``, each of whose coroutine methods is a span while one is current; itself where tracing is off."""
    return inner if _tracer is None else cast("T", _Traced(inner, name, kind))


class _Traced:
    def __init__(self, inner: object, name: str, kind: Kind) -> None:
        self._inner, self._name, self._kind = inner, name, kind

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def call(*arguments: Any, **named: Any) -> Any:
            if traceparent() is None:
                return await found(*arguments, **named)
            with span(f"{self._name} {name}", self._kind):
                return await found(*arguments, **named)

        return call


def trace_label() -> dict[str, str]:
    """The current trace as an exemplar's label; empty without one."""
    found = traceparent()
    return {} if found is None else {"trace_id": found.split("-")[1]}
