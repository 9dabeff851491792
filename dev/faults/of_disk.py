"""The disk of the ledger is full."""

from dev.faults.fault import Fault, lasting

FULL_S = 10.0

FULL = (
    Fault(
        "disk_full", "the ledger's disk is full",
        lasting(lambda arena: arena.disk.fill(), lambda arena: arena.disk.free(), FULL_S, history=True),
        small_disk=True, fits_obvious=False, why_not="it keeps no history on a disk of its own",
    ),
)  # fmt: skip
