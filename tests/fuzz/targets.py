"""The targets: for each a function of bytes, which raises where a law is broken.

The laws: what comes back is a result or a documented error, never another exception; its messages hold nothing of what
came in; an event that is taken is one that the log takes, and every document comes back as it went out; time grows no
faster than the input.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BytesIO

import msgspec

from gateway_shadow.adapters import cloudevents
from gateway_shadow.adapters.events import events_of
from gateway_shadow.adapters.found import BadBody, Found
from gateway_shadow.adapters.litellm import litellm_events
from gateway_shadow.adapters.otlp import spans_in_json, spans_in_protobuf
from gateway_shadow.guard import unzipped
from gateway_shadow.ledger.pages import CursorError, decode_cursor, encode_cursor
from gateway_shadow.problems import Problem
from policy_store import api_keys
from spendgate.importers.drafting import Imported
from spendgate.importers.envoy import import_envoy
from spendgate.importers.helicone import import_helicone
from spendgate.importers.litellm import import_litellm
from spendgate.importers.portkey import import_portkey
from spendgate.importers.reading import NotImportable
from spendgate.ledger.bill_focus import lines_of_bill
from spendgate.ledger.reader_problem import COLUMN
from spendgate.ledger.readers import InputError, Reading, ReadOptions, Refused
from spendgate.model.announcement import RecordError, Removed, read_record, record_of
from spendgate.model.canonical import NotCanonical, canonical_bytes, from_canonical
from spendgate.model.decision import encode_decisions, read_decisions
from spendgate.model.decode import Fault, decode_message
from spendgate.model.event import MAX_EVENTS_PER_MESSAGE, SCOPE_FIELDS, Event, encode_events
from spendgate.model.known_values import KnownValuesError, known_from_events, parse_known
from spendgate.model.policy_problems import Problem as PolicyProblem
from spendgate.model.policy_source import check_bytes
from spendgate.model.question import Question, question_of, read_question
from spendgate.prices.own_source import check_own
from tests.fuzz.words import foreign, is_field, our_words
from window_counters.protocol import StoreUnfit
from window_counters.wire import pack_mark, unpack_mark

TENANT = "acme"
UNPACKED_BYTES = 2**20
PER_BYTE_S, START_S = 50e-6, 2.0
"""Processor time that reading may take. Both are many times what it does take, so that only what grows out of
proportion is found."""

Law = Callable[[bytes], None]


def timed(law: Law, start_s: float = START_S) -> Law:
    """The law, and that of time."""

    def run(data: bytes) -> None:
        our_words()  # read once, and not in the law's time
        begun = time.thread_time()
        law(data)
        took_s = time.thread_time() - begun
        assert took_s < start_s + PER_BYTE_S * len(data), f"{took_s:.1f} s for {len(data)} bytes"

    return run


def _require_own_words(texts: Iterable[str]) -> None:
    for text in texts:
        assert not foreign(text), f"a message holds {foreign(text)}: {text}"


def _require_fields(names: Iterable[str | None]) -> None:
    for name in names:
        assert is_field(name), f"no name of a field: {name}"


def _require_taken(events: Sequence[Event]) -> None:
    """The log takes each of these as it is."""
    for start in range(0, len(events), MAX_EVENTS_PER_MESSAGE):
        part = list(events[start : start + MAX_EVENTS_PER_MESSAGE])
        again = decode_message(TENANT.encode(), encode_events(part), 0, 1)
        assert (again.events, again.faults) == (part, []), again.faults


# What the log holds


def message(data: bytes) -> None:
    """A message of the event topic."""
    found = decode_message(TENANT.encode(), data, 0, 1)
    _require_own_words(fault.expected for fault in found.faults)
    _require_fields(fault.field for fault in found.faults)
    places = [*found.indexes, *(fault.place for fault in found.faults)]
    assert len(found.indexes) == len(found.events)
    assert found.indexes == sorted(set(found.indexes))
    assert not set(found.indexes) & {fault.place for fault in found.faults}
    assert places or found.activation is not None, "neither an event nor a fault"
    _require_taken(found.events)
    if found.activation is not None:
        again = decode_message(TENANT.encode(), msgspec.json.encode(found.activation), 0, 1)
        assert again.activation == found.activation


def message_key(data: bytes) -> None:
    """The key of one."""
    found = decode_message(data, b"{}", 0, 1)
    _require_own_words(fault.expected for fault in found.faults)
    _require_fields(fault.field for fault in found.faults)
    assert not found.events
    assert not found.tenant or found.tenant.encode() == data


def mark(data: bytes) -> None:
    """A mark as it stands in Redis."""
    try:
        found = unpack_mark(data)
    except StoreUnfit as error:
        _require_own_words([str(error)])
    else:
        assert found is not None
        assert unpack_mark(pack_mark(found)) == found


def decisions(data: bytes) -> None:
    """A message of decisions."""
    found = read_decisions(data)
    assert found is None or read_decisions(encode_decisions(found)) == found


def policy_record(data: bytes) -> None:
    """A record of the policy topic: the first line is its key."""
    key, _, value = data.partition(b"\n")
    try:
        entry = read_record(key, value)
    except RecordError as error:
        _require_own_words([str(error)])
    else:
        assert not isinstance(entry, Removed)
        assert read_record(*record_of(entry)) == entry


# What the door is sent


def _adapter(read: Callable[[bytes, str], Found]) -> Law:
    def law(data: bytes) -> None:
        try:
            found = read(data, TENANT)
        except BadBody as error:
            _require_own_words([str(error)])
            return
        _require_own_words(problem.expected for problem in found.problems)
        _require_fields([*(problem.field for problem in found.problems), *found.dropped])
        assert all(problem.place is None or problem.place >= 0 for problem in found.problems)
        assert all(event.tenant == TENANT for event in found.events)
        _require_taken(found.events)

    return law


def _binary(data: bytes, tenant: str) -> Found:
    """Headers, a line each, and after an empty line the body."""
    head, _, body = data.partition(b"\n\n")
    return cloudevents.binary(dict(_headers(head)), body, tenant)


def _headers(head: bytes) -> Iterable[tuple[str, str]]:
    for line in head.decode("latin-1").split("\n"):
        name, _, value = line.partition(":")
        yield name.lower(), value.strip()


def question(data: bytes) -> None:
    """The body of a check."""
    found = read_question(data)
    if isinstance(found, Fault):
        _require_own_words([found.expected])
        _require_fields([found.field])
    else:
        assert read_question(msgspec.json.encode(found)) == found


def question_headers(data: bytes) -> None:
    """What Envoy's request says of a call in headers."""
    said = dict(_headers(data))
    found = question_of(said.get)
    assert read_question(msgspec.json.encode(found)) == found
    for name in Question.__struct_fields__:
        value = getattr(found, name)
        assert value is None or value == (said[name] if isinstance(value, str) else int(said[name]))


def packed_body(data: bytes) -> None:
    """A body in gzip."""
    try:
        assert len(unzipped(data, UNPACKED_BYTES)) <= UNPACKED_BYTES
    except Problem as error:
        _require_own_words([error.detail])


def cursor(data: bytes) -> None:
    """The cursor of a page of the ledger."""
    try:
        place = decode_cursor(data.decode("latin-1"))
    except CursorError:
        return
    assert decode_cursor(encode_cursor(place)) == place


def key_text(data: bytes) -> None:
    """The text of an API key."""
    text = data.decode("latin-1")
    parts = api_keys.parse(text)
    assert parts is None or api_keys.text_of(parts) == text


# What people write


def policy(data: bytes) -> None:
    """Policies in YAML or JSON."""
    sourced, problems = check_bytes(data, "policy.yaml")
    assert sourced or problems
    _require_problems(problems)
    for each in sourced:
        canonical = canonical_bytes(each.policy)
        assert canonical_bytes(from_canonical(canonical)) == canonical
        again, wrong = check_bytes(canonical, "policy.json")
        assert not wrong
        assert [canonical_bytes(one.policy) for one in again] == [canonical]


def _require_problems(problems: Sequence[PolicyProblem]) -> None:
    assert [each.place for each in problems] == sorted(each.place for each in problems)
    _require_own_words(f"{each.expected} {each.nearest or ''}" for each in problems)
    for each in problems:
        _require_fields(part.partition("[")[0] or None for part in each.field.split("."))


def canonical_policy(data: bytes) -> None:
    """The canonical form of a policy, which nothing else may pass for."""
    try:
        assert canonical_bytes(from_canonical(data)) == data
    except NotCanonical as error:
        _require_own_words([str(error)])


def price_table(data: bytes) -> None:
    """A price table of one's own."""
    table, problems = check_own(data)
    assert (table is None) == bool(problems)
    _require_problems(problems)
    if table is not None:
        again, wrong = check_own(table.model_dump_json(by_alias=True, exclude_none=True).encode())
        assert (again, wrong) == (table, [])


def known_values(data: bytes) -> None:
    """What the scopes of a policy may name."""
    for read in (parse_known, lambda raw: known_from_events(raw.split(b"\n"))):
        try:
            assert read(data).keys() <= set(SCOPE_FIELDS)
        except KnownValuesError as error:
            _require_own_words([str(error)])


def _importer(read: Callable[[bytes], Imported]) -> Law:
    def law(data: bytes) -> None:
        try:
            found = read(data)
        except NotImportable as error:
            _require_own_words([str(error)])
            return
        for draft in found.drafts:
            sourced, problems = check_bytes(draft.text("elsewhere").encode(), "draft.yaml")
            assert not problems, problems
            assert [canonical_bytes(each.policy) for each in sourced] == [canonical_bytes(draft.policy)]

    return law


# Files of history


def _reading(options: ReadOptions) -> Law:
    def law(data: bytes) -> None:
        try:
            _require_items(list(Reading(BytesIO(data), options)))
        except InputError as error:
            _require_fit(error)

    return law


def _require_fit(error: InputError) -> None:
    """Of a file's own words a message may repeat the name of a column, for a person to find it."""
    text, _, column = str(error).partition("; the nearest is ")
    _require_own_words([text])
    assert not column or COLUMN.fullmatch(column), f"no name of a column: {column}"


def _require_items(items: Sequence[Event | Refused]) -> None:
    refused = [item for item in items if isinstance(item, Refused)]
    _require_own_words(each.expected for each in refused)
    _require_fields(each.field for each in refused)
    assert all(each.line > 0 for each in refused)
    _require_taken([item for item in items if isinstance(item, Event)])


def bill(data: bytes) -> None:
    """A vendor's bill."""
    refused: list[Refused] = []
    try:
        for line in lines_of_bill(BytesIO(data), refused.append):
            assert line.currency == "USD"
    except InputError as error:
        _require_fit(error)
    _require_own_words(each.expected for each in refused)
    _require_fields(each.field for each in refused)


_MAPPED = {"time": "When", "cost_usd": "Cost", "team": "Team"}
_FIELDS = {"tag": "project", "api_key": "agent", "x-team-id": "team", "user_id": "employee"}
_UNITS = {"llm_cost": "0.000001"}

TARGETS: Mapping[str, Law] = {
    name: timed(law)
    for name, law in {
        "message": message,
        "message_key": message_key,
        "mark": mark,
        "decisions": decisions,
        "policy_record": policy_record,
        "events": _adapter(events_of),
        "events_lines": _adapter(lambda data, tenant: events_of(data, tenant, lines=True)),
        "cloudevents": _adapter(cloudevents.structured),
        "cloudevents_binary": _adapter(_binary),
        "litellm": _adapter(litellm_events),
        "otlp_json": _adapter(spans_in_json),
        "otlp_protobuf": _adapter(spans_in_protobuf),
        "question": question,
        "question_headers": question_headers,
        "packed_body": packed_body,
        "cursor": cursor,
        "key_text": key_text,
        "policy": policy,
        "canonical_policy": canonical_policy,
        "price_table": price_table,
        "known_values": known_values,
        "import_litellm": _importer(lambda data: import_litellm(data, _FIELDS)),
        "import_portkey": _importer(lambda data: import_portkey(data, _FIELDS)),
        "import_envoy": _importer(lambda data: import_envoy(data, _FIELDS, _UNITS)),
        "import_helicone": _importer(lambda data: import_helicone(data.decode("utf-8", "replace"), _FIELDS)),
        "file": _reading(ReadOptions(tenant=TENANT)),
        "file_csv": _reading(ReadOptions(tenant=TENANT, format="csv", mapping=_MAPPED)),
        "file_jsonl": _reading(ReadOptions(tenant=TENANT, format="jsonl")),
        "file_azure": _reading(ReadOptions(tenant=TENANT, format="azure")),
        "file_litellm": _reading(ReadOptions(tenant=TENANT, format="litellm")),
        "file_otel": _reading(ReadOptions(tenant=TENANT, format="otel")),
        "file_cloudevents": _reading(ReadOptions(tenant=TENANT, format="cloudevents")),
        "file_parquet": _reading(ReadOptions(tenant=TENANT, format="parquet")),
        "bill": bill,
    }.items()
}
