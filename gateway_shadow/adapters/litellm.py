"""LiteLLM's ``generic_api`` callback: an array, one object a line, or one object; prompt and response are not read."""

from io import BytesIO

from gateway_shadow.adapters.found import BadBody, Found, collected
from spendgate.ledger.reader_litellm import LiteLLM
from spendgate.ledger.reader_options import ReadOptions
from spendgate.ledger.reader_problem import ROW, Refused
from spendgate.ledger.reader_rows import Dropped, Row, calls_of, decode_exact
from spendgate.model.decode import UNREADABLE

SOURCE = "litellm"
_EXPECTED = "body: expected what LiteLLM's generic_api callback sends: an array, an object a line, or one object"


def litellm_events(body: bytes, tenant: str) -> Found:
    """The calls of a batch, whichever of the three framings it has. Raises BadBody."""
    dropped = Dropped()
    options = ReadOptions(tenant=tenant, source=SOURCE)
    rows = [_row(at, item) for at, item in enumerate(_items(body))]
    return collected(calls_of(rows, LiteLLM(options, dropped).format, options), dropped.names)


def _row(at: int, item: object) -> Row | Refused:
    if not isinstance(item, dict):
        return Refused(at + 1, ROW, "one JSON object")
    if not any(item.get(name) for name in ("request_id", "id", "litellm_call_id")):
        return Refused(at + 1, "id", "the id that LiteLLM gives every call")
    return Row(at + 1, "", item)


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
