"""A broker that was killed, started again."""

from dev.errors import PortTakenError
from dev.kafka_process import KafkaProcess
from dev.trial.waiting import until

READY_S = 90


def begin_again(broker: KafkaProcess) -> None:
    """Start it once its port is free again of what it was killed in the middle of; returns when it answers."""
    until(lambda: _started(broker), "the port of the broker free again")
    broker.wait_ready(READY_S)


def _started(broker: KafkaProcess) -> bool:
    try:
        broker.start()
    except PortTakenError:
        return False
    return True
