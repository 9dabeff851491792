"""``spendgate reconcile POLICY --now``: a round of the running reconciliation agent, over the management API."""

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import typer

from spendgate.cli.api_client import Api, api
from spendgate.cli.gate_api import at, staging_of
from spendgate.cli.say import USAGE
from spendgate.failure import NEEDED, Failure

WITHIN_S, EVERY_S = 600.0, 0.5


def reconcile_now(
    policy: str | None, staging: str | None, interval: tuple[str | None, str | None], *, as_json: bool
) -> bool:
    """Ask, wait and say what came of it; whether it passed. Raises Failure."""
    if policy is None and staging is None:
        raise Failure("policy: expected a policy's name, or --staging", USAGE)
    with api() as opened:
        path = f"{at(staging_of(opened, policy or '', staging))}/reconcile"
        wanted = {name: each for name, each in zip(("from", "to"), interval, strict=True) if each is not None}
        asked = opened.ask("POST", path, json=wanted)
        done = _waited(opened, path, asked["id"])
        if done["reconciliation"] is None:
            raise Failure(f"the round could not be made: {done['problem']}")
        found = opened.ask("GET", f"/v1/reconciliations/{quote(done['reconciliation'], safe='')}")
    typer.echo(json.dumps(found) if as_json else _line(found["about"]))
    return bool(found["about"]["outcome"] == "pass")


def _waited(opened: Api, path: str, id_: str, clock: Callable[[], float] = time.monotonic) -> dict[str, Any]:
    until = clock() + WITHIN_S
    while clock() < until:
        found: list[dict[str, Any]] = [each for each in opened.ask("GET", path) if each["id"] == id_]
        if found and found[0]["state"] in ("done", "failed"):
            return found[0]
        time.sleep(EVERY_S)
    raise Failure(
        f"{id_} waits for `python -m agents.app reconciliation`, which has not made it within {WITHIN_S:.0f} s",
        NEEDED,
    )


def _line(about: dict[str, Any]) -> str:
    part = ", of a part of the log: it opens no gate" if about["on_demand"] else ""
    return (
        f"{about['policy']} {about['staging']}: {about['outcome']}, {about['differing']:,} of {about['replayed']:,} "
        f"calls differ, gate {about['gate']}{part}\n{about['id']}"
    )
