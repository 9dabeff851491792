"""The rejection: why a record was set aside, where it stands, and none of its content."""

from datetime import datetime

import msgspec
from msgspec import Struct

from spendgate.model.decision import Position
from spendgate.model.decode import Fault


class Rejection(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """One record of ``spend.rejected``. ``tenant`` is absent where the message's key is no name; ``field`` where
    none is at fault or its name does not look like one."""

    position: Position
    received_at: datetime
    tenant: str | None = None
    reason: str
    field: str | None = None
    expected: str


def rejection(position: Position, received_at: datetime, tenant: str, fault: Fault) -> Rejection:
    """The rejection of one event."""
    return Rejection(
        position=position, received_at=received_at, tenant=tenant or None,
        reason=fault.reason, field=fault.field, expected=fault.expected,
    )  # fmt: skip


encode_rejection = msgspec.json.Encoder().encode
