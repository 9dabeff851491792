"""CloudEvents 1.0 with usage in their data, as OpenMeter takes them: one event a call, or one for each token type.

Events of one call (its input and its output tokens) become one call where their data names the call; see
docs/formats.md.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from spendgate.ledger.reader_options import COST_USD, ReadOptions
from spendgate.ledger.reader_problem import InputError, Refused, RowProblem
from spendgate.ledger.reader_rows import Dropped, Format, Row, call_of
from spendgate.ledger.reader_values import LABELS, all_input, cost, count, instant, label, name
from spendgate.model.event import Event

CONTENT = ("prompt", "messages", "completion", "response", "input", "output", "content")
"""Fields of the data that can hold what was said; they are not read."""
CALL_IDS = ("call_id", "request_id", "response_id", "execution_id")
"""Fields of the data that name the call which an event is a part of."""
APART = 1_000
"""How many events may lie between two parts of one call."""
_COUNTS = {
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
    "cached_input_tokens": ("cached_input_tokens", "cached_tokens", "cache_read_input_tokens"),
    "cache_write_tokens": ("cache_write_tokens", "cache_creation_input_tokens"),
    "reasoning_tokens": ("reasoning_tokens",),
}
_OF_TYPE = {
    "input": "input_tokens", "prompt": "input_tokens", "system": "input_tokens",
    "output": "output_tokens", "completion": "output_tokens",
}  # fmt: skip
_ELSE = {"employee": ("user", "user_id"), "customer": ("customer_id",)}
_SUMS = (*_COUNTS, "cost_nano_usd")
_Call = tuple[str, str, str]


class CloudEvents:
    """Usage events as calls. Content met goes to ``dropped`` by name."""

    def __init__(self, options: ReadOptions, dropped: Dropped) -> None:
        self._options = options
        self._mapping = options.mapping
        self._dropped = dropped
        for field, wanted in options.mapping.items():
            if field not in (*LABELS, "api_key_id", COST_USD):
                raise InputError(f"map: {field}: expected a label such as team, or {COST_USD}, for CloudEvents")
            if wanted in CONTENT:
                raise InputError(f"map: {field}: expected a field of the data that holds no content")

    def calls(self, rows: Iterable[Row | Refused]) -> Iterator[Event | Refused]:
        """The calls, in the order of their first parts."""
        parts = _Parts()
        known = Format(self.fields, lambda row: _first(_data(row), *self._cost_names()))
        for row in rows:
            if isinstance(row, Refused):
                yield from parts.put(row, None)
            else:
                yield from parts.put(call_of(row, known, self._options), _call_id(row.values))
        yield from parts.rest()

    def _cost_names(self) -> tuple[str, ...]:
        return self._mapping.get(COST_USD, COST_USD), "cost"

    def fields(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The event's fields; None for what is unknown. Raises RowProblem."""
        data = _data(row)
        for field in CONTENT:
            if field in data:
                self._dropped.note(field)
        if "data_base64" in row:
            self._dropped.note("data_base64")
        owners = {
            field: label(_first(data, self._mapping.get(field, field), *_ELSE.get(field, ())), field)
            for field in LABELS
        }
        owners["customer"] = owners["customer"] or label(row.get("subject"), "customer")
        return {
            "id": name(row.get("id"), "id"),
            "source": name(row.get("source"), "source"),
            "time": instant(row.get("time"), "time"),
            "vendor": name(_first(data, "vendor", "provider"), "vendor"),
            "model": name(data.get("model"), "model"),
            "api_key_id": name(_first(data, self._mapping.get("api_key_id", "api_key_id")), "api_key_id"),
            "cost_nano_usd": cost(_first(data, *self._cost_names()), COST_USD),
            "privacy_mode": name(data.get("privacy_mode"), "privacy_mode"),
            **_tokens(data),
            **owners,
        }


def _first(data: Mapping[str, Any], *names: str) -> Any:
    return next((data[field] for field in names if data.get(field) not in (None, "")), None)


def _data(row: Mapping[str, Any]) -> Mapping[str, Any]:
    data = row.get("data")
    return data if isinstance(data, dict) else {}


def _tokens(data: Mapping[str, Any]) -> dict[str, int | None]:
    counts = {field: count(_first(data, *names), field) for field, names in _COUNTS.items()}
    if counts["input_tokens"] is None and counts["output_tokens"] is None:
        kind = data.get("type")
        field = _OF_TYPE.get(kind) if isinstance(kind, str) else None
        if field is None or data.get("tokens") is None:
            raise RowProblem("data", "input_tokens and output_tokens, or tokens with a type of input or output")
        counts[field] = count(data["tokens"], field)
    counts["input_tokens"] = all_input(
        counts["input_tokens"], counts["cached_input_tokens"], counts["cache_write_tokens"]
    )
    return counts


def _call_id(row: Mapping[str, Any]) -> _Call | None:
    """What the parts of one call have in common: source, id and model."""
    found = _first(_data(row), *CALL_IDS)
    return None if found is None else (str(row.get("source")), str(found), str(_data(row).get("model")))


class _Parts:
    """Calls that may get another part, in their order, and what came between them."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Event | Refused, _Call | None]] = deque()
        self._open: dict[_Call, tuple[Event, set[str]]] = {}

    def put(self, item: Event | Refused, call: _Call | None) -> Iterator[Event | Refused]:
        """Take one in; give what can get no more parts."""
        if isinstance(item, Refused) or call is None:
            self._waiting.append((item, None))
        elif call not in self._open:
            self._open[call] = (item, {item.id})
            self._waiting.append((item, call))
        elif item.id in self._open[call][1]:
            self._waiting.append((item, None))
        else:
            first, ids = self._open[call]
            ids.add(item.id)
            _join(first, item)
        while self._waiting and (len(self._waiting) > APART or self._waiting[0][1] is None):
            yield self._next()

    def rest(self) -> Iterator[Event | Refused]:
        """What is left at the end."""
        while self._waiting:
            yield self._next()

    def _next(self) -> Event | Refused:
        item, call = self._waiting.popleft()
        if call is not None:
            del self._open[call]
        return item


def _join(first: Event, part: Event) -> None:
    """Add a part's counts and cost to its call. A cost that one part has is the call's."""
    for field in _SUMS:
        more = getattr(part, field)
        if more is not None:
            setattr(first, field, (getattr(first, field) or 0) + more)
    first.cost_source = "unpriced" if first.cost_nano_usd is None else "provided"
