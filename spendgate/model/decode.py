"""From the bytes of one message to events, an activation, or reasons why not: one event's fault is never another's."""

import re
from datetime import UTC, datetime
from operator import attrgetter
from typing import Literal, NamedTuple

import msgspec

from spendgate.model.activation import Activation
from spendgate.model.event import MAX_EVENTS_PER_MESSAGE, Event
from spendgate.model.partition import partition_of
from spendgate.model.text import EXPECTED, all_allowed, echo_field, is_name
from spendgate.model.unreadable import UNREADABLE

ReasonCode = Literal[
    "no_key", "no_value", "bad_json", "not_an_event", "unknown_field", "missing_field", "wrong_type", "out_of_range",
    "bad_characters", "contradiction", "tenant_is_not_key", "wrong_partition", "empty_batch", "too_many_events",
    "activation_in_batch", "bad_activation",
]  # fmt: skip


class Fault(NamedTuple):
    """Why an event was set aside: its place in the message, the field (where one is at fault, and looks like a
    field name), and what was expected. Nothing of the event itself."""

    place: int
    reason: ReasonCode
    field: str | None
    expected: str


class Decoded(NamedTuple):
    """What one message holds. ``indexes[i]`` is the place of ``events[i]`` in the message."""

    tenant: str
    indexes: list[int]
    events: list[Event]
    faults: list[Fault]
    activation: Activation | None = None


class _Head(msgspec.Struct):
    kind: str | None = None


_events = msgspec.json.Decoder(list[Event])
_event = msgspec.json.Decoder(Event)
_raw_items = msgspec.json.Decoder(list[msgspec.Raw])
_raw_item = msgspec.json.Decoder(msgspec.Raw)
_head = msgspec.json.Decoder(_Head)
_activation = msgspec.json.Decoder(Activation)

_NAMES = (
    "id", "source", "tenant", "refers_to", "team", "employee", "customer", "project", "feature", "api_key_id",
    "workflow", "agent", "task", "vendor", "model_requested", "model", "check_id", "status", "evidence_id",
    "prompt_fingerprint", "response_fingerprint",
)  # fmt: skip
_names_of = attrgetter(*_NAMES)
_EARLIEST, _LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_WHERE = re.compile(r" - at `\$(?:\[[^\]]*\])?\.?([^`]*)`$")
_OBJECT = re.compile(
    r"Object (missing required|contains unknown) field `(.*?)`(?: - at `\$\.(?:settings|share)`)?", re.DOTALL
)


def decode_message(key: bytes | None, value: bytes | None, partition: int, partitions: int) -> Decoded:
    """All events of one message of ``spend.events`` that stood in ``partition`` of ``partitions``."""
    tenant, fault = _tenant(key, partition, partitions)
    if fault is not None:
        return Decoded("", [], [], [fault])
    if not value:
        return Decoded(tenant, [], [], [Fault(0, "no_value", None, "a JSON object or an array of them")])
    if b"activation" in value and _is_activation(value):
        return _decode_activation(tenant, value)
    return _quickly(tenant, value) or _one_by_one(tenant, value)


def _tenant(key: bytes | None, partition: int, partitions: int) -> tuple[str, Fault | None]:
    if not key:
        return "", Fault(0, "no_key", None, "the tenant as the message's key")
    try:
        tenant = key.decode("ascii")
    except UnicodeDecodeError:
        tenant = ""
    if not is_name(tenant):
        return "", Fault(0, "bad_characters", "tenant", EXPECTED)
    if partition_of(key, partitions) != partition:
        return "", Fault(0, "wrong_partition", None, "the partition murmur2(key) mod the partition count")
    return tenant, None


def _quickly(tenant: str, value: bytes) -> Decoded | None:
    """The whole message at once, if nothing is wrong with it; None if it must be looked at event by event."""
    if not all_allowed(value):
        return None
    try:
        events = _events.decode(value) if value.startswith(b"[") else [_event.decode(value)]
    except UNREADABLE:
        return None
    if not 0 < len(events) <= MAX_EVENTS_PER_MESSAGE or any(map(_is_refused, events)):
        return None
    if any(event.tenant != tenant for event in events):
        return None
    return Decoded(tenant, list(range(len(events))), events, [])


def _one_by_one(tenant: str, value: bytes) -> Decoded:
    try:
        items = _raw_items.decode(value) if value.lstrip()[:1] == b"[" else [_raw_item.decode(value)]
    except UNREADABLE:
        return Decoded(tenant, [], [], [Fault(0, "bad_json", None, "a JSON object or an array of them, in UTF-8")])
    if not items:
        return Decoded(tenant, [], [], [Fault(0, "empty_batch", None, "at least one event")])
    if len(items) > MAX_EVENTS_PER_MESSAGE:
        fault = Fault(0, "too_many_events", None, f"at most {MAX_EVENTS_PER_MESSAGE} events in a message")
        return Decoded(tenant, [], [], [fault])
    decoded = Decoded(tenant, [], [], [])
    for index, item in enumerate(items):
        _decode_item(decoded, index, bytes(item))
    return decoded


def _decode_item(decoded: Decoded, index: int, item: bytes) -> None:
    fault: Fault | None
    try:
        event = _event.decode(item)
    except UNREADABLE as error:
        fault = _fault_of(index, item, error)
    else:
        fault = _refusal(decoded.tenant, index, event)
        if fault is None:
            decoded.indexes.append(index)
            decoded.events.append(event)
            return
    decoded.faults.append(fault)


def _fault_of(index: int, item: bytes, error: Exception) -> Fault:
    if not isinstance(error, msgspec.ValidationError):
        return Fault(index, "bad_json", None, "a JSON object, in UTF-8")
    if item.lstrip()[:1] != b"{":
        return Fault(index, "not_an_event", None, "a JSON object")
    if b"activation" in item and _is_activation(item):
        return Fault(index, "activation_in_batch", None, "an activation as a message of its own")
    return explain(index, str(error))


def explain(index: int, message: str) -> Fault:
    """The message of a ``ValidationError`` in our words. It may quote a value, so only its shape is used."""
    if found := _OBJECT.fullmatch(message):
        if found.group(1) == "missing required":
            return Fault(index, "missing_field", echo_field(found.group(2)), "the field to be there")
        return Fault(index, "unknown_field", echo_field(found.group(2)), "a field of the schema")
    where = _WHERE.search(message)
    field = echo_field(where.group(1)) if where and where.group(1) else None
    if "Invalid enum value" in message:
        return Fault(index, "out_of_range", field, "one of the schema's values")
    if "out of range" in message:
        return Fault(index, "out_of_range", field, "a number of the schema's range")
    if match := re.match(r"Expected `(int|str|array)` (<=|>=|of length [<>]=) (\d+)", message):
        return Fault(index, "out_of_range", field, " ".join(match.groups()))
    if "timezone" in message or "RFC3339" in message or "Timestamp" in message:
        return Fault(index, "wrong_type", field, "an RFC 3339 time with its UTC offset")
    if match := re.match(r"Expected `([a-z|` ]+)`", message):
        return Fault(index, "wrong_type", field, match.group(1).replace("`", ""))
    return Fault(index, "wrong_type", field, "a value of the schema")


def _is_refused(event: Event) -> bool:
    if event.kind != "call":
        return _contradiction(event) is not None
    return not _EARLIEST <= event.time < _LATEST or (
        event.cost_source is not None and (event.cost_source == "unpriced") == (event.cost_nano_usd is not None)
    )


def _refusal(tenant: str, index: int, event: Event) -> Fault | None:
    """What is wrong with an event that has the right fields and types."""
    if event.tenant != tenant:
        return Fault(index, "tenant_is_not_key", "tenant", "the tenant that is the message's key")
    for name, text in zip(_NAMES, _names_of(event), strict=True):
        if text is not None and not is_name(text):
            return Fault(index, "bad_characters", name, EXPECTED)
    if not _EARLIEST <= event.time < _LATEST:
        return Fault(index, "out_of_range", "time", "a time from 1970-01-02 to 2200")
    if (contradiction := _contradiction(event)) is not None:
        return Fault(index, "contradiction", *contradiction)
    return None


def _contradiction(event: Event) -> tuple[str, str] | None:
    priced = event.cost_nano_usd is not None
    if event.cost_source is not None and (event.cost_source == "unpriced") == priced:
        return "cost_source", "unpriced without cost_nano_usd, provided or priced with it"
    if event.kind == "call":
        return None
    if event.refers_to is None:
        return "refers_to", "the id of the call that an annotation is about"
    if event.kind == "correction" and not priced:
        return "cost_nano_usd", "the cost that the call should have had"
    if event.kind == "outcome" and event.outcome is None and event.evidence_status is None:
        return "outcome", "an outcome or an evidence_status"
    return None


def _is_activation(value: bytes) -> bool:
    try:
        return _head.decode(value).kind == "activation"
    except UNREADABLE:
        return False


def _decode_activation(tenant: str, value: bytes) -> Decoded:
    try:
        activation = _activation.decode(value)
    except UNREADABLE as error:
        found = explain(0, str(error))
        return Decoded(tenant, [], [], [Fault(0, "bad_activation", found.field, found.expected)])
    expected = _missing_from(activation, tenant)
    if expected is not None:
        return Decoded(tenant, [], [], [Fault(0, "bad_activation", *expected)])
    return Decoded(tenant, [], [], [], activation)


def _missing_from(activation: Activation, tenant: str) -> tuple[str, str] | None:
    if activation.tenant != tenant:
        return "tenant", "the tenant that is the message's key"
    names = [activation.id, activation.tenant, activation.staging, activation.policy, *activation.ends]
    if not all(name is None or is_name(name) for name in names):
        return "staging", EXPECTED
    if activation.share is not None and activation.action != "enforce":
        return "share", "a share with enforce alone"
    if activation.action == "settings":
        return None if activation.settings is not None else ("settings", "the settings that change")
    if activation.staging is None:
        return "staging", "the staging that it is about"
    if activation.action == "stage" and (activation.policy is None or activation.hash is None):
        return "hash", "the policy and its hash"
    return None
