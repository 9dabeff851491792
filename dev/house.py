"""A whole Spendgate of one's own for a while: a policy store, a door and the agents, on the development stack."""

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from dev.agents import process, workers
from dev.errors import StackError
from dev.ground import made_topics
from dev.places import home
from dev.ports import free_port
from dev.stack import Stack
from policy_store import api_keys, tenants
from policy_store.api_keys import Role
from policy_store.change import Changes
from policy_store.database import Database
from policy_store.migrate import migrate
from policy_store.signing import make_key_file
from spendgate.model.topics import Topics

WITHIN_S = 60.0
KEY_LASTS_MS = 86_400_000
T = TypeVar("T")


@dataclass(frozen=True)
class House:
    """A tenant, the door's address, a key of each role, what has been started, and the ground below."""

    tenant: str
    url: str
    keys: Mapping[Role, str]
    folder: Path
    stack: Stack
    topics: Topics
    running: "list[subprocess.Popen[bytes]]"

    def client(self, role: Role) -> httpx.Client:
        """A client with the key of a role."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.keys[role]}"}, timeout=30)

    def until(self, ask: Callable[[], T | None], what: str) -> T:
        """Wait for an answer. Raises StackError where none comes, or something that runs has ended."""
        deadline = time.monotonic() + WITHIN_S
        while not (found := ask()):
            if dead := [each for each in self.running if each.poll() is not None]:
                raise StackError(f"a process ended with exit code {dead[0].returncode} (logs: {self.folder})")
            if time.monotonic() > deadline:
                raise StackError(f"not within {WITHIN_S:g} s: {what} (logs: {self.folder})")
            time.sleep(0.2)
        return found

    def answers(self) -> bool:
        """Whether the door does, and all that it stands on."""
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def opened(stack: Stack, name: str, tenant: str, people: Mapping[Role, str], agents: int = 1) -> Iterator[House]:
    """Have one of a new tenant, its files in the folder ``name`` of the stack's directory. ``people``: who holds which
    role; where it is the same one everywhere, authors may approve what they wrote. Raises StackError."""
    topics = made_topics(stack.bootstrap)
    folder, port = home() / name, free_port()
    folder.mkdir(parents=True, exist_ok=True)
    url, key_file = f"sqlite:///{folder / 'store.db'}", folder / "store.pem"
    database = Database(url)
    migrate(database)
    if not key_file.exists():
        make_key_file(key_file)
    keys = _keys(Changes(database), name, tenant, people)
    database.close()
    environment = {
        "SPENDGATE_KAFKA": stack.bootstrap, "SPENDGATE_STORE": url, "SPENDGATE_STORE_KEY_FILE": str(key_file),
        "SPENDGATE_REDIS": stack.redis_url, "SPENDGATE_LEDGER": str(home() / "ledger"),
        "SPENDGATE_REPLICATION": "1", "SPENDGATE_HTTP_PORT": str(port), "SPENDGATE_HTTP_HOST": "127.0.0.1",
    }  # fmt: skip
    with (
        workers(agents, stack, folder, home() / "ledger", name) as running,
        process(["gateway_shadow.app"], environment, folder / "door.log") as door,
    ):
        house = House(tenant, f"http://127.0.0.1:{port}", keys, folder, stack, topics, [*running, door])
        house.until(house.answers, "the door to answer")
        yield house


def _keys(changes: Changes, name: str, tenant: str, people: Mapping[Role, str]) -> dict[Role, str]:
    """A new tenant, with a key of each role for a day."""
    with changes.of(tenant, f"({name})") as change:
        tenants.create(change, one_person=len(set(people.values())) == 1)
        ends = change.now_ms + KEY_LASTS_MS
        return {role: api_keys.create(change, person, role, ends).text for role, person in people.items()}


def good(answer: httpx.Response) -> Any:
    """What the door has answered. Raises StackError where it is a problem."""
    if not answer.is_success:
        raise StackError(f"the door answered {answer.status_code}: {answer.json().get('detail', '')}")
    return answer.json()
