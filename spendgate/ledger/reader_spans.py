"""The spans of a document in OTLP's JSON form, with their attributes, and those of their resource, as plain values."""

from collections.abc import Iterator, Mapping
from typing import Any

from spendgate.ledger.reader_problem import ROW, RowProblem

Span = Mapping[str, Any]
_SCALARS = ("stringValue", "intValue", "doubleValue", "boolValue")


def spans_of(document: Mapping[str, Any]) -> Iterator[Span]:
    """Each span with ``attributes`` and ``resource`` by name; other fields as they stand. Raises RowProblem."""
    if not isinstance(document.get("resourceSpans"), list):
        raise RowProblem(ROW, "resourceSpans, as OTLP's JSON form has them")
    for group in document["resourceSpans"]:
        resource = _attributes(_object(_object(group).get("resource") or {}).get("attributes"))
        for scope in _list(_object(group), "scopeSpans", "instrumentationLibrarySpans"):
            for span in _list(_object(scope), "spans"):
                own = _attributes(_object(span).get("attributes"))
                yield {**span, "attributes": own, "resource": resource}


def value_of(span: Span, *attributes: str) -> Any:
    """The first of the attributes that the span or its resource has."""
    for attribute in attributes:
        for place in (span["attributes"], span["resource"]):
            if place.get(attribute) not in (None, ""):
                return place[attribute]
    return None


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise RowProblem(ROW, "spans as OTLP's JSON form has them")
    return value


def _list(group: Mapping[str, Any], *names: str) -> list[Any]:
    found: object = next((group[field] for field in names if field in group), [])
    if not isinstance(found, list):
        raise RowProblem(ROW, "spans as OTLP's JSON form has them")
    return found


def _attributes(pairs: object) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs if isinstance(pairs, list) else []:
        value = pair.get("value") if isinstance(pair, dict) else None
        if isinstance(value, dict) and isinstance(pair.get("key"), str):
            found[pair["key"]] = next((value[kind] for kind in _SCALARS if kind in value), None)
    return found
