"""A tenant's document as it stands in a store: in two parts, one written by every batch and one by activations."""

from collections.abc import Iterable

import msgspec

from spendgate.engine.staging import TenantDocument
from window_counters.protocol import Snapshot

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


def document_of(snapshot: Snapshot, tenant: str) -> TenantDocument:
    """A tenant's document as the store has it; a new tenant's is empty. Raises NotOfTheMark."""
    parts = [snapshot.tenants[name] for name in document_names([tenant]) if name in snapshot.tenants]
    fields = {name: raw for part in parts for name, raw in _decode(part).items()}
    written = int(bytes(fields.pop(_AT, b"-1")))
    applied = snapshot.mark.offset if snapshot.mark is not None else -1
    if written > applied:
        raise NotOfTheMark(f"the counters of a tenant are of record {written}, and the mark is {applied}")
    return msgspec.json.decode(_encode(fields), type=TenantDocument)
