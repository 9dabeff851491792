"""CloudEvents 1.0 over HTTP: structured, batched and binary; usage events as OpenMeter has them, or our own fields.

Source: the CloudEvents HTTP protocol binding 1.0.2. An event whose ``type`` begins with ``spendgate.`` carries the
fields of one of our events as its data; any other is read as a usage event (docs/formats.md).
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from gateway_shadow.adapters.events import events_of_items
from gateway_shadow.adapters.found import BadBody, Content, Found, collected
from spendgate.ledger.reader_cloudevents import CloudEvents
from spendgate.ledger.reader_options import ReadOptions
from spendgate.ledger.reader_problem import ROW, Refused
from spendgate.ledger.reader_rows import Dropped, Row, decode_exact
from spendgate.model.unreadable import UNREADABLE

OWN = "spendgate."
PROMPT, RESPONSE = ("prompt", "messages", "input"), ("response", "completion", "output")
"""Fields of a usage event's data that are content; others that may hold some are left behind in every mode."""
_ATTRIBUTE = "ce-"
_EXPECTED = "body: expected a CloudEvent in JSON, or an array of them"


def structured(body: bytes, tenant: str) -> Found:
    """One CloudEvent or an array of them, as JSON. Raises BadBody."""
    try:
        decoded = decode_exact(body)
    except (*UNREADABLE, ArithmeticError):
        raise BadBody(_EXPECTED) from None
    return _found(decoded if isinstance(decoded, list) else [decoded], tenant)


def binary(headers: Mapping[str, str], body: bytes, tenant: str) -> Found:
    """One CloudEvent whose attributes are ``ce-`` headers (lower case) and whose body is its data. Raises BadBody."""
    event: dict[str, Any] = {
        name.removeprefix(_ATTRIBUTE): unquote(value) for name, value in headers.items() if name.startswith(_ATTRIBUTE)
    }
    try:
        event["data"] = decode_exact(body) if body.strip() else {}
    except (*UNREADABLE, ArithmeticError):
        raise BadBody("body: expected the data of a CloudEvent, as JSON") from None
    return _found([event], tenant)


def _found(items: list[Any], tenant: str) -> Found:
    """Our own and usage events may stand in one batch; the order is kept within each kind."""
    own = [at for at, item in enumerate(items) if isinstance(item, dict) and str(item.get("type")).startswith(OWN)]
    found = _usage(items, set(own), tenant)
    mine = events_of_items([_fields(items[at]) for at in own], tenant)
    for index, (event, place) in enumerate(zip(mine.events, mine.places, strict=True)):
        found.add(event, own[place or 0], mine.contents.get(index))
    found.problems += [problem._replace(place=own[problem.place or 0]) for problem in mine.problems]
    found.problems.sort(key=lambda problem: problem.place or 0)
    return found


def _usage(items: list[Any], own: set[int], tenant: str) -> Found:
    dropped = Dropped()
    rows = [_row(at, item) for at, item in enumerate(items) if at not in own]
    reader = CloudEvents(ReadOptions(tenant=tenant), dropped)
    found = collected(reader.calls(rows), dropped.names)
    said = {_identity(row.values): content for row in rows if isinstance(row, Row) and (content := _content(row))}
    for index, event in enumerate(found.events):
        if (content := said.get((event.source, event.id))) is not None:
            found.contents[index] = content
    return found


def _identity(item: Mapping[str, Any]) -> tuple[str, str]:
    return str(item.get("source")), str(item.get("id"))


def _content(row: Row) -> Content | None:
    """What the data of a usage event says; of several fields that hold a prompt the first."""
    data = row.values.get("data")
    if not isinstance(data, dict):
        return None
    prompt, response = (next((name for name in kind if data.get(name)), None) for kind in (PROMPT, RESPONSE))
    names = tuple(name for name in (prompt, response) if name is not None)
    return Content(data.get(prompt), data.get(response), names) if names else None


def _row(at: int, item: Any) -> Row | Refused:
    """An item as a row of a file. An id from its place would have it counted twice if it is sent twice."""
    if not isinstance(item, dict):
        return Refused(at + 1, ROW, "one CloudEvent, as a JSON object")
    for name in ("specversion", "id", "source", "type"):
        if not item.get(name):
            return Refused(at + 1, name, "this attribute, which every CloudEvent has")
    if item["specversion"] != "1.0":
        return Refused(at + 1, "specversion", "1.0")
    return Row(at + 1, "", item)


def _fields(item: Mapping[str, Any]) -> Any:
    """The data of one of ours, whose identity and time are the envelope's."""
    data = item.get("data")
    if not isinstance(data, dict):
        return None
    named = {name: item[name] for name in ("id", "source", "time") if item.get(name) is not None}
    return msgspec.to_builtins({**data, **named})
