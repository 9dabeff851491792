"""A tenant's document as it stands in a store: in two parts, one written by every batch and one by activations."""

from collections.abc import Iterable

import msgspec

from spendgate.engine.clock import BEGINNING, Clock
from spendgate.engine.staging import TenantDocument
from window_counters.protocol import Snapshot, Sums

_PER_BATCH = ("watermark_ms", "late_ms", "duplicate_hour", "hours", "calls", "corrections")
"""The fields of a tenant's document that a batch may change; the others change with an activation."""

_AT = "at"
"""Beside those fields: the offset of the record that wrote them."""

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def document_names(tenants: Iterable[str]) -> list[str]:
    """Under which names the store keeps the tenants' documents: one for every batch, one for every activation."""
    return [name for tenant in tenants for name in (tenant, _staged(tenant))]


def _staged(tenant: str) -> str:
    return f"{tenant} staged"


def moving_part(tenant: str, document: TenantDocument, at: int) -> dict[str, bytes]:
    """What a batch that ends at offset ``at`` writes of a document, by name."""
    return {tenant: _encode({**{name: getattr(document, name) for name in _PER_BATCH}, _AT: at})}


def whole(tenant: str, document: TenantDocument, at: int) -> dict[str, bytes]:
    """What an activation at offset ``at`` writes of a document, by name."""
    fixed = {name: getattr(document, name) for name in document.__struct_fields__ if name not in _PER_BATCH}
    return {**moving_part(tenant, document, at), _staged(tenant): _encode(fixed)}


class NotOfTheMark(Exception):
    """A tenant's document is of a later record than the mark: somebody deleted the mark or set it back."""


class _Written(msgspec.Struct):
    at: int = -1
    watermark_ms: int = BEGINNING
    late_ms: int = BEGINNING


_written = msgspec.json.Decoder(_Written).decode


def staged_part(found: Snapshot | Sums, tenant: str) -> bytes | None:
    """What activations have written of a tenant's document, as it stands; as long as it is the same, so are stagings
    and settings."""
    return found.tenants.get(_staged(tenant))


def clock_of(found: Snapshot | Sums, tenant: str) -> Clock:
    """How far a tenant's log has come, without its duplicate horizon. Raises NotOfTheMark."""
    written = _written(found.tenants.get(tenant, b"{}"))
    _require_of_the_mark(written.at, found)
    return Clock(written.watermark_ms, written.late_ms)


def document_of(found: Snapshot | Sums, tenant: str) -> TenantDocument:
    """A tenant's document as the store has it; a new tenant's is empty. Raises NotOfTheMark."""
    parts = [found.tenants[name] for name in document_names([tenant]) if name in found.tenants]
    fields = {name: raw for part in parts for name, raw in _decode(part).items()}
    _require_of_the_mark(int(bytes(fields.pop(_AT, b"-1"))), found)
    return msgspec.json.decode(_encode(fields), type=TenantDocument)


def _require_of_the_mark(written: int, found: Snapshot | Sums) -> None:
    applied = found.mark.offset if found.mark is not None else -1
    if written > applied:
        raise NotOfTheMark(f"the counters of a tenant are of record {written}, and the mark is {applied}")
