"""What ``up`` chose, so that the next one can choose the same."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Engine = Literal["local", "docker"]

_FILE = "stack.json"


@dataclass(frozen=True, slots=True)
class State:
    """Where the stack was put. That it was is no proof that it runs."""

    engine: Engine
    kafka_port: int
    redis_port: int
    controller_port: int = 0


def load(directory: Path) -> State | None:
    """The state of the last ``up``; None where there is none that can be read."""
    try:
        state = State(**json.loads((directory / _FILE).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    ports = (state.kafka_port, state.redis_port, state.controller_port)
    fits = all(isinstance(port, int) and 0 <= port < 1 << 16 for port in ports)
    return state if fits and state.engine in ("local", "docker") else None


def save(directory: Path, state: State) -> None:
    """Write the state in one step."""
    fresh = directory / f"{_FILE}.new"
    with fresh.open("w") as file:
        json.dump(asdict(state), file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(directory / _FILE)
