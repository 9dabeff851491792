"""What a store of counters must do; the conformance suite holds every implementation to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from spendgate.engine.names import Window


class PartitionId(NamedTuple):
    """A partition of the event topic; all of its keys share one fate."""

    topic: str
    partition: int


class Mark(NamedTuple):
    """The last applied message offset of a topic, which is named by the id that the broker gave it."""

    topic_id: str
    offset: int


WITHHELD = Mark("rebuild", -1)
"""The mark of a partition whose counters are being taken away: its worker waits, judges and applies nothing."""


@dataclass(frozen=True, slots=True)
class Read:
    """What one batch needs to know, all of one instant.

    ``tenants``: whose documents to return. ``identities``: by tenant, the hours (whole hours since the epoch)
    to look in, newest last, and the 64-bit identities to look for. ``cells``: by slot name, the fields to read.
    ``due``: by tenant, the instant (ms); slots that expire at or before it are listed, at most 128 of them.
    """

    tenants: Sequence[str] = ()
    identities: Mapping[str, tuple[Sequence[int], Sequence[int]]] = field(default_factory=dict)
    cells: Mapping[str, Sequence[str]] = field(default_factory=dict)
    due: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The answer to a Read. What is not stored is absent from ``tenants``, and zero in ``cells``.

    ``known``: by every tenant asked for, identity to the latest of the given hours that holds it; an identity
    that none holds is absent. ``cells``: by slot name, the values in the order of the fields asked for. ``due``:
    by every tenant asked for, slot names, those that expired first standing first.
    """

    mark: Mark | None
    tenants: Mapping[str, bytes]
    known: Mapping[str, Mapping[int, int]]
    cells: Mapping[str, Sequence[int]]
    due: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Look:
    """Windows that are added up again and again, for other keys each time; keep it: each is packed once.

    ``tenants``: whose documents to return with them. At most 1,000 fields a slot.
    """

    tenants: Sequence[str]
    windows: Sequence[Window]


class Sums(NamedTuple):
    """The answer to a Look, all of one instant: by window the admitted and the recorded sum, in turn."""

    mark: Mark | None
    tenants: Mapping[str, bytes]
    sums: Sequence[int]


@dataclass(frozen=True, slots=True)
class Change:
    """What one batch did: applied whole together with the mark, or not at all.

    ``increments``: by slot name, field to delta (above -2^63 and below 2^63). ``expiries``: by tenant, slot name to
    the instant (ms) after which no verdict can read it; remembered for ``Read.due``, for a slot newly touched.
    ``identities``: by tenant and hour, the identities to remember. ``drop_slots``: by tenant, slots to delete
    and to forget the expiry of. ``drop_hours``: by tenant, the identity hours to delete. ``tenants``: documents
    to store. ``settled``: by tenant, the checks of calls that are counted now, which give back what they reserved.
    What is dropped is dropped last: an increment of the same change does not bring it back.
    """

    mark: Mark
    tenants: Mapping[str, bytes] = field(default_factory=dict)
    increments: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    expiries: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    identities: Mapping[str, Mapping[int, Sequence[int]]] = field(default_factory=dict)
    drop_slots: Mapping[str, Sequence[str]] = field(default_factory=dict)
    drop_hours: Mapping[str, Sequence[int]] = field(default_factory=dict)
    settled: Mapping[str, Sequence[str]] = field(default_factory=dict)


class StoreUnavailable(Exception):
    """The store did not answer, or answered with a fault that may pass. A change may or may not have run."""


class StoreUnfit(Exception):
    """The store is set up so that it could lose counters silently; a worker must not start on it."""


class CounterStore(Protocol):
    """Counters, identities, tenants' documents and the mark of each partition.

    Slot names are unique within a partition. Every method but ``close`` may raise StoreUnavailable. Numbers out
    of range (a cell or a sum that is no signed 64-bit integer, an identity that is no unsigned one, an expiry
    above 2^53 ms) are an OverflowError, and nothing is changed.
    """

    async def check_fit(self) -> None:
        """Raise StoreUnfit unless the store never evicts."""

    async def read(self, partition: PartitionId, wanted: Read) -> Snapshot:
        """All of ``wanted`` and the mark, of one instant."""

    async def sums(self, partition: PartitionId, look: Look, keys: Sequence[str]) -> Sums:
        """What the windows of ``look`` hold for the keys that they name by place, and the mark, of one instant."""

    async def apply(self, partition: PartitionId, seen: Mark | None, change: Change) -> bool:
        """Apply ``change`` if the mark is still ``seen``; False, and nothing is changed, if it is not."""

    async def put(self, partition: PartitionId, cells: Mapping[str, Mapping[str, int]]) -> None:
        """Set cells of a seed, absolutely and without moving the mark: nothing reads them before their staging
        is recorded. Writing the same again does no harm; may be written in several chunks."""

    async def slots(self, partition: PartitionId, tenant: str, prefix: str) -> Sequence[str]:
        """The names of the tenant's slots with a remembered expiry that start with ``prefix``, sorted."""

    async def dump(self, partition: PartitionId, slots: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """Every field of every given slot (none for an absent one), not of one instant: for verification."""

    async def close(self) -> None:
        """Give back what the store holds."""
