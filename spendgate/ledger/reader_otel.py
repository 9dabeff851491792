"""OpenTelemetry: spans of GenAI calls, with attributes of the current and of older conventions.

Source of the names: the registry of open-telemetry/semantic-conventions-genai and its deprecated names, and those of
OpenLLMetry. Cached tokens are part of the input tokens there.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from spendgate.ledger.reader_options import COST_USD, ReadOptions
from spendgate.ledger.reader_problem import InputError, Refused, RowProblem
from spendgate.ledger.reader_rows import Dropped, Format, Row, call_of
from spendgate.ledger.reader_spans import Span, spans_of, value_of
from spendgate.ledger.reader_values import LABELS, all_input, cost, count, label, name
from spendgate.model.event import Event

CALLS = frozenset({"chat", "generate_content", "text_completion", "embeddings", "completion", "embedding", "rerank"})
"""Operations that are one request to a model. An agent's, a tool's or a workflow's span repeats its children's."""
CONTENT = (
    "gen_ai.prompt", "gen_ai.completion", "gen_ai.input.messages", "gen_ai.output.messages",
    "gen_ai.system_instructions", "gen_ai.tool.definitions", "gen_ai.tool.call", "gen_ai.retrieval", "gen_ai.memory",
    "gen_ai.agent.description", "traceloop.entity.input", "traceloop.entity.output", "llm.prompts", "llm.completions",
    "input.value", "output.value", "exception.message",
)  # fmt: skip
"""Attributes, and what begins with their names and a dot, that can hold what was said; they are not read."""
_NAMES = {
    "vendor": ("gen_ai.provider.name", "gen_ai.system"),
    "model_requested": ("gen_ai.request.model", "llm.request.model"),
    "model": ("gen_ai.response.model", "llm.response.model", "gen_ai.request.model", "llm.request.model"),
}
_COUNTS = {
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.usage.completion_tokens"),
    "cached_input_tokens": (
        "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.input_tokens.cached", "gen_ai.usage.cached_input_tokens",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.input_tokens.cache_write",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.output_tokens.reasoning",
        "gen_ai.usage.reasoning_tokens", "llm.usage.reasoning_tokens",
    ),
}  # fmt: skip
_COST = ("gen_ai.usage.cost", "gen_ai.usage.total_cost", "gen_ai.cost.usd")
_OWNERS = {
    "employee": ("enduser.id", "user.id"),
    "project": ("service.name",),
    "workflow": ("gen_ai.workflow.name", "traceloop.workflow.name"),
    "agent": ("gen_ai.agent.name", "gen_ai.agent.id"),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class OTel:
    """Documents of spans as calls. Content met goes to ``dropped`` by name; ``passed_over`` counts other spans."""

    def __init__(self, options: ReadOptions, dropped: Dropped) -> None:
        self._options = options
        self._dropped = dropped
        self.passed_over = 0
        for field, attribute in options.mapping.items():
            if field not in (*LABELS, "api_key_id", COST_USD):
                raise InputError(f"map: {field}: expected a label such as team, or {COST_USD}, for spans")
            if _content(attribute) is not None:
                raise InputError(f"map: {field}: expected an attribute that holds no content")

    def calls(self, documents: Iterable[Row | Refused]) -> Iterator[Event | Refused]:
        """The calls of each document, in its order."""
        for document in documents:
            if isinstance(document, Refused):
                yield document
                continue
            try:
                spans = list(spans_of(document.values))
            except RowProblem as problem:
                yield Refused(document.line, problem.field, problem.expected)
                continue
            yield from self._of_spans(document, spans)

    def _of_spans(self, document: Row, spans: Sequence[Span]) -> Iterator[Event | Refused]:
        outer = _outer_calls(spans)
        known = Format(self.fields, lambda span: value_of(span, *self._cost_names()))
        for number, span in enumerate(spans):
            self._note(span)
            if not _is_call(span) or _id(span) in outer:
                self.passed_over += 1
            else:
                yield call_of(Row(document.line, f"{document.identity}-{number}", span), known, self._options)

    def _note(self, span: Span) -> None:
        for attribute in span["attributes"]:
            if (content := _content(attribute)) is not None:
                self._dropped.note(content)
        if span.get("events"):
            self._dropped.note("events")

    def _cost_names(self) -> tuple[str, ...]:
        return (self._options.mapping.get(COST_USD, ""), *_COST)

    def fields(self, span: Span) -> dict[str, Any]:
        """The event's fields; None for what is unknown. Raises RowProblem."""
        fields: dict[str, Any] = {field: name(value_of(span, *names), field) for field, names in _NAMES.items()}
        fields |= {field: count(value_of(span, *names), field) for field, names in _COUNTS.items()}
        fields["input_tokens"] = all_input(
            fields["input_tokens"], fields["cached_input_tokens"], fields["cache_write_tokens"]
        )
        if fields["vendor"] is not None:
            fields["vendor"] = fields["vendor"].lower()
        begun, ended = _nanos(span, "startTimeUnixNano"), _nanos(span, "endTimeUnixNano")
        if begun is None:
            raise RowProblem("time", "startTimeUnixNano, in nanoseconds since 1970")
        if _id(span) is None:
            raise RowProblem("id", "traceId and spanId")
        return fields | self._owners(span) | {
            "id": _id(span),
            "time": _EPOCH + timedelta(microseconds=begun // 1000),
            "latency_ms": None if ended is None or ended < begun else (ended - begun) // 1_000_000,
            "status": "error" if _failed(span) else "ok",
            "privacy_mode": name(value_of(span, "spendgate.privacy_mode"), "privacy_mode"),
            "cost_nano_usd": cost(value_of(span, *self._cost_names()), COST_USD),
        }  # fmt: skip

    def _owners(self, span: Span) -> dict[str, str | None]:
        mapped = self._options.mapping
        owners = {
            field: label(value_of(span, mapped.get(field, ""), *_own(field), *_OWNERS.get(field, ())), field)
            for field in LABELS
        }
        key = value_of(span, mapped.get("api_key_id", ""), "spendgate.api_key_id")
        return owners | {"api_key_id": name(key, "api_key_id")}


def _own(field: str) -> tuple[str, ...]:
    return f"spendgate.{field}", f"traceloop.association.properties.{field}", field


def _content(attribute: str) -> str | None:
    return next((known for known in CONTENT if attribute == known or attribute.startswith(f"{known}.")), None)


def _is_call(span: Span) -> bool:
    operation = value_of(span, "gen_ai.operation.name", "llm.request.type")
    if operation is not None:
        return isinstance(operation, str) and operation in CALLS
    if value_of(span, "traceloop.span.kind") is not None:
        return False
    return value_of(span, *_NAMES["model"]) is not None and value_of(span, *_COUNTS["input_tokens"]) is not None


def _outer_calls(spans: Sequence[Span]) -> set[str]:
    """Ids of calls that hold another call: a framework's span around its client's. The inner one counts.

    What is above a span that was passed already has been passed too, so a chain of many is gone through once.
    """
    parents = {_id(span): _id(span, "parentSpanId") for span in spans}
    calls = dict.fromkeys(_id(span) for span in spans if _is_call(span))
    outer: set[str] = set()
    passed: set[str] = set()
    for call in calls:
        above = parents.get(call)
        while above is not None and above != call and above not in passed:
            passed.add(above)
            if above in calls:
                outer.add(above)
            above = parents.get(above)
    return outer


def _id(span: Span, which: str = "spanId") -> str | None:
    trace, own = span.get("traceId"), span.get(which)
    return f"{trace}-{own}" if isinstance(trace, str) and isinstance(own, str) and trace and own else None


def _nanos(span: Span, field: str) -> int | None:
    text = str(span.get(field, ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 19 else None


def _failed(span: Span) -> bool:
    status = span.get("status")
    return isinstance(status, dict) and status.get("code") in (2, "STATUS_CODE_ERROR")
