"""LiteLLM's ``generic_api`` callback: an array, one object a line, or one object; content goes apart from events."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

from gateway_shadow.adapters.found import BadBody, Content, Found, ItemProblem
from spendgate.ledger.reader_litellm import LiteLLM
from spendgate.ledger.reader_options import ReadOptions
from spendgate.ledger.reader_problem import ROW, Refused
from spendgate.ledger.reader_rows import Dropped, Row, call_of, decode_exact
from spendgate.model.unreadable import UNREADABLE

SOURCE = "litellm"
PROMPT, RESPONSE = "messages", "response"
"""Of the fields that can hold content the two that are content; the others (errors, parameters, requests as they came)
are left behind in every mode."""
_ANSWERS = ("choices", "output", "content")
"""Where a response has what was answered, in chat completions, OpenAI's responses and Anthropic's messages; what stands
beside it (ids, times, usage) is no content, and differs in two responses that say the same."""
_EXPECTED = "body: expected what LiteLLM's generic_api callback sends: an array, an object a line, or one object"


def litellm_events(body: bytes, tenant: str) -> Found:
    """The calls of a batch, whichever of the three framings it has. Raises BadBody."""
    dropped = Dropped()
    options = ReadOptions(tenant=tenant, source=SOURCE)
    known = LiteLLM(options, dropped).format
    found = Found(dropped=dropped.names)
    for place, item in enumerate(_items(body)):
        row = _row(place, item)
        read = row if isinstance(row, Refused) else call_of(row, known, options)
        if isinstance(read, Refused):
            found.problems.append(ItemProblem(place, read.field, read.expected))
        elif isinstance(row, Row):
            found.add(read, place, _content(row.values))
    return found


def _row(at: int, item: object) -> Row | Refused:
    if not isinstance(item, dict):
        return Refused(at + 1, ROW, "one JSON object")
    if not any(item.get(name) for name in ("request_id", "id", "litellm_call_id")):
        return Refused(at + 1, "id", "the id that LiteLLM gives every call")
    return Row(at + 1, "", item)


def _content(row: Mapping[str, Any]) -> Content | None:
    names = tuple(name for name in (PROMPT, RESPONSE) if row.get(name))
    return Content(row.get(PROMPT) or None, _answered(row.get(RESPONSE)), names) if names else None


def _answered(response: Any) -> Any:
    """What a response says."""
    if not isinstance(response, dict):
        return response or None
    said = next((response[name] for name in _ANSWERS if response.get(name)), response)
    if said is response.get("choices") and isinstance(said, list):
        return [each.get("message") or each.get("text") if isinstance(each, dict) else each for each in said]
    return said or None


def _items(body: bytes) -> list[object]:
    try:
        found = decode_exact(body)
    except (*UNREADABLE, ArithmeticError):
        return _lines(body)
    if isinstance(found, list):
        return list(found)
    data = found.get("data") if isinstance(found, dict) else None
    return list(data) if isinstance(data, list) else [found]


def _lines(body: bytes) -> list[object]:
    """An object a line; a bad line does not touch the next."""
    found: list[object] = []
    readable = False
    for line in BytesIO(body):
        if not line.strip():
            continue
        try:
            found.append(decode_exact(line))
            readable = True
        except (*UNREADABLE, ArithmeticError):
            found.append(None)
    if not readable:
        raise BadBody(_EXPECTED)
    return found
