"""All faults, in the order of the table."""

from dev.faults.fault import Fault
from dev.faults.of_disk import FULL
from dev.faults.of_kafka import OUTAGES
from dev.faults.of_redis import LOSSES
from dev.faults.of_store import STORE
from dev.faults.of_times import TIMES
from dev.faults.of_workers import KILLS

FAULTS: dict[str, Fault] = {fault.name: fault for fault in (*KILLS, *LOSSES, *OUTAGES, *STORE, *FULL, *TIMES)}
