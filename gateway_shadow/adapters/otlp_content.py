"""What was said in a GenAI span: its attributes and those of its events that hold messages, current and older names.

Source of the names: the registry of open-telemetry/semantic-conventions-genai with its deprecated names, OpenLLMetry's
(``gen_ai.prompt.0.content``) and OpenInference's. Whatever else may hold content (tools, exceptions, names of spans and
events) is left behind in every mode.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway_shadow.adapters.found import Content
from spendgate.ledger.reader_rows import decode_exact
from spendgate.model.unreadable import UNREADABLE

PROMPT = (
    "gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.prompt", "traceloop.entity.input", "llm.prompts",
    "input.value",
)  # fmt: skip
RESPONSE = ("gen_ai.output.messages", "gen_ai.completion", "traceloop.entity.output", "llm.completions", "output.value")
_SCALARS = ("stringValue", "intValue", "doubleValue", "boolValue")


def contents_of(document: Mapping[str, Any]) -> dict[str, Content]:
    """By the id that a call has (``traceId-spanId``): what was said, of a request in OTLP's JSON form."""
    found: dict[str, Content] = {}
    for span in _spans(document):
        said = dict(_said(span))
        prompt, response = _under(said, PROMPT), _under(said, RESPONSE)
        if prompt or response:
            names = tuple(dict.fromkeys(base for name in said if (base := _base(name, (*PROMPT, *RESPONSE)))))
            found[f"{span.get('traceId')}-{span.get('spanId')}"] = Content(_value(prompt), _value(response), names)
    return found


def _spans(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Whatever looks like a span; what does not is told by the reader."""
    for group in _objects(document.get("resourceSpans")):
        for scopes in ("scopeSpans", "instrumentationLibrarySpans"):
            for scope in _objects(group.get(scopes)):
                yield from _objects(scope.get("spans"))


def _objects(found: object) -> Iterator[Mapping[str, Any]]:
    return (each for each in found if isinstance(each, dict)) if isinstance(found, list) else iter(())


def _said(span: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for place in (*_objects(span.get("events")), span):
        for pair in _objects(place.get("attributes")):
            name = pair.get("key")
            if isinstance(name, str) and _base(name, (*PROMPT, *RESPONSE)) is not None:
                yield name, _any_value(pair.get("value"))


def _base(name: str, known: tuple[str, ...]) -> str | None:
    return next((each for each in known if name == each or name.startswith(f"{each}.")), None)


def _under(said: Mapping[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
    """Of what was said the part that stands under these names and is not empty."""
    return {name: value for name, value in said.items() if value not in (None, "", [], {}) and _base(name, known)}


def _value(said: Mapping[str, Any]) -> Any:
    """One attribute's value by itself, several by their names, none as None. Messages come as text that is JSON."""
    said = {name: _decoded(value) for name, value in said.items()}
    return next(iter(said.values())) if len(said) == 1 else dict(said) or None


def _decoded(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return decode_exact(value)
        except (*UNREADABLE, UnicodeEncodeError, ArithmeticError):
            return value
    return value


def _values(found: object) -> Iterator[Mapping[str, Any]]:
    return _objects(found.get("values") if isinstance(found, dict) else None)


def _any_value(value: object) -> Any:
    """OTLP's AnyValue as plain JSON."""
    if not isinstance(value, dict):
        return None
    if "arrayValue" in value:
        return [_any_value(each) for each in _values(value["arrayValue"])]
    if "kvlistValue" in value:
        return {str(pair.get("key")): _any_value(pair.get("value")) for pair in _values(value["kvlistValue"])}
    return next((value[kind] for kind in _SCALARS if kind in value), None)
