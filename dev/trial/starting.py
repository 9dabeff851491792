"""A server that was killed, started again."""

from dev.errors import PortTakenError
from dev.server import ServerProcess
from dev.trial.waiting import until

READY_S = 240


def begin_again(server: ServerProcess) -> None:
    """Start it once its port is free again of what it was killed in the middle of; returns when it answers."""
    until(lambda: _started(server), "the port of the server free again")
    server.wait_ready(READY_S)


def _started(server: ServerProcess) -> bool:
    try:
        server.start()
    except PortTakenError:
        return False
    return True
