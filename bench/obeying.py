"""How long until every process obeys: a key that is revoked, a policy that is staged; two doors and a worker.

``python -m bench.obeying`` prints JSON on the last line, ``bench.door`` has it as ``obeyed_s``. Seconds from when the
change was asked for at one door until the last process does as it says, of ROUNDS rounds.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.processes import BenchError, Process, wait_for
from dev import stack as local
from dev.ground import made_topics
from dev.places import shared_libs
from dev.ports import free_port
from policy_store import api_keys, tenants
from policy_store.api_keys import Role
from policy_store.change import Changes
from policy_store.database import Database
from policy_store.migrate import migrate
from policy_store.signing import make_key_file

TENANT, ROUNDS, WITHIN_S, POLL_S = "obeys", 7, 30.0, 0.005
ROLES: tuple[Role, ...] = ("ingest", "editor", "approver", "operator")


@dataclass
class House:
    """Two doors on one store, and a worker."""

    doors: list[httpx.Client]
    worker: Process
    keys: dict[Role, str]

    def ask(self, role: Role, method: str, path: str, *, door: int = 0, **request: Any) -> httpx.Response:
        """Ask one of the doors with the key of a role."""
        headers = {"Authorization": f"Bearer {self.keys[role]}", **request.pop("headers", {})}
        return self.doors[door].request(method, path, headers=headers, **request)

    def done(self, role: Role, method: str, path: str, **request: Any) -> Any:
        """What must succeed, as JSON. Raises BenchError."""
        answer = self.ask(role, method, path, **request)
        if not answer.is_success:
            raise BenchError(f"{method} {path}: {answer.status_code}")
        return answer.json()


def obeyed_s(folder: Path) -> dict[str, dict[str, float]]:
    """Median and maximum (s) by what was changed; on a stack of its own, whose log holds nothing else."""
    stack = local.up(folder / "stack", libs=shared_libs())
    try:
        with _house(folder, stack) as house:
            revoked = [_revoked_s(house, number) for number in range(ROUNDS)]
            staged = [_staged_s(house, number) for number in range(ROUNDS)]
    finally:
        local.down(folder / "stack")
    return {
        "revocation": _said(revoked),
        "stage_change": _said([max(pair) for pair in staged]),
        "stage_change_checks": _said([checks for checks, _ in staged]),
        "stage_change_worker": _said([worker for _, worker in staged]),
    }


def _said(found: Sequence[float]) -> dict[str, float]:
    return {"median": round(statistics.median(found), 3), "max": round(max(found), 3)}


@contextmanager
def _house(folder: Path, stack: local.Stack) -> Iterator[House]:
    made_topics(stack.bootstrap)
    url, key_file = f"sqlite:///{folder / 'store.db'}", folder / "store.pem"
    database, signer = Database(url), make_key_file(key_file)
    migrate(database)
    env = {
        "SPENDGATE_KAFKA": stack.bootstrap, "SPENDGATE_REDIS": stack.redis_url, "SPENDGATE_REPLICATION": "1",
        "SPENDGATE_STORE": url, "SPENDGATE_STORE_KEY_FILE": str(key_file), "SPENDGATE_STORE_KEYS": signer.public,
        "SPENDGATE_INSTANCE": "obeys",
    }  # fmt: skip
    with ExitStack() as exits:
        exits.callback(database.close)
        ports = [free_port(), free_port()]
        names = [(f"door-{n}", ["gateway_shadow.app"], str(port)) for n, port in enumerate(ports)]
        names.append(("worker", ["agents.app", "worker"], "0"))
        running = []
        for name, module, port in names:
            process = Process(name, ["-m", *module], {**env, "SPENDGATE_HTTP_PORT": port}, folder / f"{name}.log")
            exits.callback(process.end)
            running.append(process)
        doors = [
            exits.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=WITHIN_S)) for port in ports
        ]
        wait_for("the doors", lambda: all(map(_answers, doors)), running, 60)
        house = House(doors, running[-1], _keys(Changes(database)))
        _staged_s(house, ROUNDS)  # the first one waits for the worker's start
        yield house


def _answers(door: httpx.Client) -> bool:
    try:
        return door.get("/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def _keys(changes: Changes) -> dict[Role, str]:
    with changes.of(TENANT, "bench") as change:
        tenants.create(change, one_person=True)
        return {role: api_keys.create(change, "bench", role).text for role in ROLES}


def _until_all_s(begun_s: float, what: str, *conditions: Callable[[], bool]) -> list[float]:
    """When each of the conditions held, in seconds since ``begun_s``. Raises BenchError."""
    held: dict[int, float] = {}
    while len(held) < len(conditions):
        for number, condition in enumerate(conditions):
            if number not in held and condition():
                held[number] = time.perf_counter() - begun_s
        if time.perf_counter() - begun_s > WITHIN_S:
            raise BenchError(f"{what}: not obeyed within {WITHIN_S:g} s")
        time.sleep(POLL_S)
    return [held[number] for number in range(len(conditions))]


def _revoked_s(house: House, number: int) -> float:
    made = house.done("operator", "POST", "/v1/keys", json={"person": f"p{number}", "role": "viewer"})
    bearer = {"Authorization": f"Bearer {made['key']}"}

    def status(door: httpx.Client) -> int:
        return door.get("/v1/me", headers=bearer).status_code

    if any(status(door) != 200 for door in house.doors):
        raise BenchError("a new key is refused")
    begun_s = time.perf_counter()
    house.done("operator", "DELETE", f"/v1/keys/{made['about']['id']}")
    refused = [lambda door=door: status(door) in (401, 429) for door in house.doors]
    return max(_until_all_s(begun_s, "a revocation", *refused))


def _staged_s(house: House, number: int) -> tuple[float, float]:
    """Until checks at both doors say so, and until the worker has applied it."""
    model, name = f"model-{number}", f"deny-{number}"
    body = {
        "apiVersion": "spendgate/v1", "kind": "Policy", "metadata": {"name": name},
        "spec": {"rules": [{"boundary": {"models": {"deny": [model]}, "on_breach": "deny"}}]},
    }  # fmt: skip
    made = house.done("editor", "POST", "/v1/policies", json=body)
    wanted = {"hash": made["latest"]["hash"], "waiver": "for the bench"}
    asked = house.done("editor", "POST", f"/v1/policies/{name}/stagings", json=wanted)
    applied = _applied(house.worker)
    question = {"model": model, "vendor": "openai", "estimate_nano_usd": 1000}

    def would_deny(door: int) -> bool:
        return bool(house.done("ingest", "POST", "/v1/check", door=door, json=question)["would_be"] == "deny")

    begun_s = time.perf_counter()
    tag = {"If-Match": f'"{asked["revision"]}"'}
    house.done("approver", "POST", f"/v1/stagings/{asked['id']}/approve", json={}, headers=tag)
    first, second, worker = _until_all_s(
        begun_s, "a staging", lambda: would_deny(0), lambda: would_deny(1), lambda: _applied(house.worker) > applied
    )
    return max(first, second), worker


def _applied(worker: Process) -> int:
    """How many activations the worker has said to have applied."""
    worker.require_alive()
    return sum(" in force" in line for line in worker.lines())


def main() -> None:
    """Measure this alone."""
    with tempfile.TemporaryDirectory() as name:
        found = obeyed_s(Path(name))
    print(json.dumps({"obeyed_s": found, "rounds": ROUNDS, "command": "python -m bench.obeying"}))


if __name__ == "__main__":
    main()
