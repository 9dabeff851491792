"""A real door over the made house, with Kafka, Redis and a worker that judges by all its policies."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx

from bench.pages_data import POLICIES, TENANT, House
from bench.processes import Process, stagings_in_force, wait_for
from dev import stack as local
from dev.ground import made_topics
from dev.ports import free_port
from policy_store import api_keys, stagings
from policy_store.api_keys import Role
from policy_store.change import Changes
from policy_store.database import Database
from policy_store.signing import read_key_file
from spendgate.model.topics import PREFIX_ENV, Topics

_PEOPLE: tuple[tuple[str, Role], ...] = (("ola", "operator"), ("eda", "editor"))


@dataclass(frozen=True)
class Opened:
    """``operator`` and ``editor``: keys of two people, who see every page between them; ``staging``, ``job``: what the
    addresses of pages name."""

    url: str
    port: int
    operator: str
    editor: str
    door: Process
    worker: Process
    topics: Topics
    bootstrap: str
    staging: str
    job: str

    def door_cpu_ms(self) -> float:
        """Processor time that the door and its simulators have used."""
        tasks = [*_tasks(self.door.pid)]
        tasks += [each for task in tasks for child in _children(task) for each in _tasks(child)]
        return sum(map(_ran_ms, tasks))


def _tasks(pid: int) -> Iterator[Path]:
    with suppress(OSError):
        yield from Path(f"/proc/{pid}/task").iterdir()


def _children(task: Path) -> list[int]:
    with suppress(OSError):
        return [int(each) for each in (task / "children").read_text().split()]
    return []


def _ran_ms(task: Path) -> float:
    with suppress(OSError):
        return int((task / "schedstat").read_text().split()[0]) / 1e6
    return 0.0


@contextmanager
def opened(folder: Path, stack: local.Stack, house: House) -> Iterator[Opened]:
    """The processes, started on a copy of the store, once every policy is in force and one simulation has been made.

    Topics and group are their own: another worker of the group would judge by the keys of its own store.
    """
    store, pem, prefix = folder / "store.db", folder / "store.pem", f"pages-{token_hex(4)}."
    topics = made_topics(stack.bootstrap, prefix)
    for made, mine in ((house.store, store), (house.key, pem)):
        shutil.copy(made, mine)
    operator, editor, staging = _names(store)
    port = free_port()
    env = {
        "SPENDGATE_KAFKA": stack.bootstrap, "SPENDGATE_REDIS": stack.redis_url, "SPENDGATE_REPLICATION": "1",
        "SPENDGATE_STORE": f"sqlite:///{store}", "SPENDGATE_STORE_KEY_FILE": str(pem),
        "SPENDGATE_STORE_KEYS": read_key_file(pem).public, PREFIX_ENV: prefix, "SPENDGATE_GROUP": f"{prefix}shadow",
    }  # fmt: skip
    door_env = {**env, "SPENDGATE_HTTP_PORT": str(port), "SPENDGATE_LEDGER": str(house.ledger.resolve())}
    with ExitStack() as exits:
        worker = Process("worker", ["-m", "agents.app", "worker"], {**env, "SPENDGATE_HTTP_PORT": "0"},
                         folder / "worker.log")  # fmt: skip
        exits.callback(worker.end)
        door = Process("door", ["-m", "gateway_shadow.app"], door_env, folder / "door.log")
        exits.callback(door.end)
        url, running = f"http://127.0.0.1:{port}", [door, worker]
        wait_for("the door", lambda: _answers(url), running, 60)
        wait_for("every policy staged", lambda: stagings_in_force(worker) >= POLICIES, running, 180)
        job = _simulated(url, editor)
        yield Opened(url, port, operator, editor, door, worker, topics, stack.bootstrap, staging, job)


def _names(store: Path) -> tuple[str, str, str]:
    database = Database(f"sqlite:///{store}")
    try:
        with Changes(database).of(TENANT, "bench") as change:
            first = next(each for each in stagings.live(change.connection, TENANT) if each.policy == "t20-month")
            operator, editor = (api_keys.create(change, who, role).text for who, role in _PEOPLE)
            return operator, editor, first.id
    finally:
        database.close()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/live", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _simulated(url: str, key: str) -> str:
    """A policy's latest version, simulated over all that was recorded."""
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
        latest: Any = client.get("/v1/policies/t20-month").json()["latest"]
        path = f"/v1/policies/t20-month/versions/{latest['hash']}/simulations"
        made = client.post(path, headers={"Prefer": "wait=25"}).raise_for_status().json()
        if made["state"] != "done":
            raise SystemExit(f"the first simulation is {made['state']}: {made['problem']}")
        return str(made["id"])
