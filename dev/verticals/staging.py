"""A vertical's policies on their way to shadow: drafted and simulated by one person, approved by another."""

from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec

from dev.errors import StackError
from dev.house import WITHIN_S, House, good
from spendgate.cli.kafka_client import TopicReader

_YAML = {"Content-Type": "application/yaml"}
_TRIES = 5


class Staged(NamedTuple):
    """A policy in shadow; ``full_windows``: how many of its shortest history the simulation has seen."""

    policy: str
    hash: str
    staging: str
    full_windows: int


def stage(house: House, files: list[Path]) -> list[Staged]:
    """Stage all of them, and return once the log says so. Raises StackError, also where one was not simulated over a
    full window: no waiver is asked for."""
    with house.client("editor") as editor, house.client("approver") as approver:
        made = [_staged(house, editor, approver, path.read_text(encoding="utf-8")) for path in files]
    house.until(lambda: {each.staging for each in made} <= _begun(house), "the records of the stagings in the log")
    return made


def _staged(house: House, editor: httpx.Client, approver: httpx.Client, text: str) -> Staged:
    latest = good(editor.post("/v1/policies", content=text, headers=_YAML))["latest"]
    name, hash_ = latest["policy"], latest["hash"]
    simulated = _simulated(house, editor, f"/v1/policies/{name}/versions/{hash_}/simulations")
    asked = good(editor.post(f"/v1/policies/{name}/stagings", json={"hash": hash_}))
    tag = {"If-Match": f'"{asked["revision"]}"'}
    why = {"why": f"simulated over {simulated['full_windows']} full windows"}
    good(approver.post(f"/v1/stagings/{asked['id']}/approve", json=why, headers=tag))
    return Staged(name, hash_, asked["id"], simulated["full_windows"])


def _simulated(house: House, editor: httpx.Client, address: str) -> dict[str, Any]:
    """A simulation of all that is in the ledger, once it is over."""
    job: dict[str, Any] = good(editor.post(address, headers={"Prefer": "wait=25"}))

    def ended() -> bool:
        job.update(good(editor.get(f"/v1/simulations/{job['id']}")))
        return job["state"] not in ("queued", "running")

    house.until(ended, f"the simulation {job['id']}")
    if job["state"] != "done" or not job["full_windows"]:
        raise StackError(f"the simulation of {job['policy']} is {job['state']}: {job['problem'] or 'no full window'}")
    return job


def _begun(house: House) -> set[str]:
    """The stagings that records of the log begin."""
    with TopicReader(house.stack.bootstrap, house.topics.events.name, WITHIN_S, lambda _: None) as reader:
        values = [row.value or b"" for row in reader.rows()]
    found = [msgspec.json.decode(value) for value in values if house.tenant.encode() in value]
    return {each["staging"] for each in found if isinstance(each, dict) and each.get("action") == "stage"}
