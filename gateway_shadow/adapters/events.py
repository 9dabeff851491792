"""Our own events: one object, an array, or a line each. The law is that of the log: ``spendgate.model.decode``.

The tenant is the key's: an event may leave it out, and one that names another is refused. ``source`` may be left out
too. ``id`` may not: a sender that asks again after a timeout would otherwise be counted twice.

Beside the fields of an event an item may have ``content``, an object with ``prompt``, ``response`` or both, any JSON.
It is taken off here, before anything else looks at the item.
"""

from typing import Any, NamedTuple, cast

import msgspec
from msgspec import UNSET, Raw, UnsetType

from gateway_shadow.adapters.found import BadBody, Content, Found, ItemProblem
from spendgate.model.decode import decode_message
from spendgate.model.event import MAX_EVENTS_PER_MESSAGE, Event, encode_events
from spendgate.model.text import Name
from spendgate.model.unreadable import UNREADABLE

SOURCE = "http"
"""The source of an event that names none."""
CONTENT = "content"
_PARTS = {"prompt", "response"}
_EXPECTED = "body: expected a JSON object, a filled array of them, or one on each line, in UTF-8"
_EXPECTED_CONTENT = "an object with prompt, response or both"


class _Incoming(Event, kw_only=True):
    """An event that may leave out whose it is, and may have content beside it."""

    tenant: Name | None = None  # type: ignore[assignment]
    source: Name | None = None  # type: ignore[assignment]
    content: Raw | UnsetType = UNSET


_decode_all = msgspec.json.Decoder(list[_Incoming]).decode
_decode_lines = msgspec.json.Decoder(_Incoming).decode_lines
_decode_raw = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class _NoContent(NamedTuple):
    """An item whose content is not what it should be."""


Beside = dict[int, Content | _NoContent]
"""Content by the place of its item."""


def events_of(body: bytes, tenant: str, *, lines: bool = False) -> Found:
    """The events of a body; ``lines``: one on each line. Raises BadBody for what is no JSON at all, or empty."""
    found = _quickly(body, tenant, lines=lines) or events_of_items(_items(body, lines=lines), tenant)
    if not found.events and not found.problems:
        raise BadBody(_EXPECTED)
    return found


def events_of_items(items: list[Any], tenant: str) -> Found:
    """The events of decoded items, each with what is wrong with it."""
    found, beside = Found(), _taken_off(items)
    for start in range(0, len(items), MAX_EVENTS_PER_MESSAGE):
        part = [_filled(item, tenant) for item in items[start : start + MAX_EVENTS_PER_MESSAGE]]
        _judge(found, _encode(part), tenant, start, beside)
    return found


def _quickly(body: bytes, tenant: str, *, lines: bool) -> Found | None:
    """All at once, if nothing is wrong with any; None if items must be looked at one by one."""
    try:
        decoded = _decode_lines(body) if lines else _decode_all(body if body[:1] == b"[" else b"[%b]" % body)
    except UNREADABLE:
        return None
    beside: Beside = {}
    for place, event in enumerate(decoded):
        if event.tenant is None:
            event.tenant = tenant
        if event.source is None:
            event.source = SOURCE
        if event.content is not UNSET:
            beside[place] = _content(_item(bytes(event.content)))
            event.content = UNSET
    found = Found()
    for start in range(0, len(decoded), MAX_EVENTS_PER_MESSAGE):
        _judge(found, encode_events(decoded[start : start + MAX_EVENTS_PER_MESSAGE]), tenant, start, beside)
    return found


def _judge(found: Found, value: bytes, tenant: str, start: int, beside: Beside) -> None:
    """Have the law of the log look at a part of the items, as if it stood in a message."""
    decoded = decode_message(tenant.encode(), value, 0, 1)
    if decoded.activation is not None:
        found.problems.append(ItemProblem(start, "kind", "an event; activations come from the policy store alone"))
    found.problems += [ItemProblem(start + fault.place, fault.field, fault.expected) for fault in decoded.faults]
    if not beside:
        found.events += decoded.events
        found.places += [start + index for index in decoded.indexes]
        return
    for index, event in zip(decoded.indexes, decoded.events, strict=True):
        content = beside.get(start + index)
        if isinstance(content, _NoContent):
            found.problems.append(ItemProblem(start + index, CONTENT, _EXPECTED_CONTENT))
        else:
            found.add(event, start + index, content)


def _taken_off(items: list[Any]) -> Beside:
    return {
        place: _content(item.pop(CONTENT))
        for place, item in enumerate(items)
        if isinstance(item, dict) and CONTENT in item
    }


def _content(given: Any) -> Content | _NoContent:
    if not isinstance(given, dict) or not given or not given.keys() <= _PARTS:
        return _NoContent()
    return Content(given.get("prompt"), given.get("response"), (CONTENT,), is_handed_over=True)


def _items(body: bytes, *, lines: bool) -> list[Any]:
    if lines:
        return [_item(line) for line in body.split(b"\n") if line.strip()]
    try:
        return [_item(bytes(raw)) for raw in _decode_raw(body if body.lstrip()[:1] == b"[" else b"[%b]" % body)]
    except UNREADABLE:
        raise BadBody(_EXPECTED) from None


def _item(raw: bytes) -> Any:
    """A decoded item; what cannot be decoded is no object, and is refused as such."""
    try:
        return _decode_any(raw)
    except UNREADABLE:
        return None


def _filled(item: Any, tenant: str) -> Any:
    if not isinstance(item, dict):
        return item
    given = cast("dict[str, Any]", item)
    return {**given, "tenant": given.get("tenant") or tenant, "source": given.get("source") or SOURCE}
