"""Simulations as jobs at a real door: started, watched, cancelled, killed with the door, and the same bytes again."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update
from starlette.types import Message, Receive, Scope, Send
from typer.testing import CliRunner

from dev.stack import Stack
from gateway_shadow.config import Limits
from gateway_shadow.guard import Guard
from policy_store import api_keys
from policy_store.tables import jobs
from spendgate.cli.main import app
from tests.door.browser import Browser
from tests.door.conftest import TENANT, Door, MakeDoor, make
from tests.door.test_policies import FIRST, NAME, YAML, draft, months, simulated
from tests.live.waiting import until
from tests.store.scenes import source

WAIT = {"Prefer": "wait=25"}
INTERRUPTIBLE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from spendgate.cli.main import main; main()"
)
"""The command, also where the tests run in the background of a shell, which has its children ignore Ctrl-C."""


@pytest.fixture(scope="module")
def opened(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """One door with two months of history, and a policy that is a draft."""
    made = make(stack.bootstrap, tmp_path_factory.mktemp("door"))
    months(made.ledger, 60)
    made.start()
    with made.as_("editor") as client:
        draft(client)
        for at, body in ((versions(client), None), ("/v1/simulations", {"policy": OBJECT})):
            simulated(client, at, body)  # the first of each kind takes as long as their processes to begin
    yield made
    for pid in children(made):  # one that a failed test holds still would not see the door end
        os.kill(pid, signal.SIGKILL)
    made.close()


def versions(client: httpx.Client) -> str:
    hash_ = client.get(f"/v1/policies/{NAME}").json()["latest"]["hash"]
    return f"/v1/policies/{NAME}/versions/{hash_}/simulations"


def events(client: httpx.Client, id_: str) -> list[tuple[str, Any]]:
    """The server-sent events of a simulation, until its end."""
    with client.stream("GET", f"/v1/simulations/{id_}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        text = "".join(answer.iter_text())
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in text.split("\n\n") if block]
    return [(each["event"], json.loads(each["data"])) for each in blocks if "event" in each]


def test_a_simulation_is_started_watched_and_read_with_its_hashes(opened: Door) -> None:
    with opened.as_("editor") as client, opened.as_("viewer", "eve") as reader:
        begun = client.post(versions(client))
        assert (begun.status_code, begun.json()["state"]) == (202, "queued")
        at = begun.headers["location"]
        assert at == f"/v1/simulations/{begun.json()['id']}"
        told = events(reader, begun.json()["id"])
        assert told[-1][0] == "done"
        assert {name for name, _ in told[:-1]} <= {"progress"}
        ended = reader.get(at).json()
        assert told[-1][1] == ended
        assert (ended["progress"], ended["rows_done"], ended["full_windows"]) == (1.0, 60, 1)
        report = reader.get(f"{at}/report")
        assert sha256(report.content).hexdigest() == ended["report_sha256"] == report.headers["etag"].strip('"')
        assert report.json()["history"]["calls"] == 60
        assert str(opened.folder) not in report.text
        recorded = reader.get(versions(reader)).json()
        assert ended["simulation"] in [each["id"] for each in recorded]
        again = client.post(versions(client), json={"ledger_version": ended["ledger_version"]}, headers=WAIT)
        assert again.json()["report_sha256"] == ended["report_sha256"], "the same inputs give the same bytes"
        assert again.json()["simulation"] is None


def test_a_part_of_the_history_is_simulated_and_is_no_evidence(opened: Door) -> None:
    wanted = {
        "from": FIRST.isoformat(), "to": "2026-04-15T00:00:00Z", "where": {"team": "red"}, "reviews": "refused",
        "sweep": "cap=10:30:10", "lint": True, "timeline": True, "prices_at": "2026-05-01T00:00:00Z",
        "reviewers": {"count": 2}, "suggest": f"{NAME}/0",
    }  # fmt: skip
    with opened.as_("editor") as client:
        done = client.post(versions(client), json=wanted, headers=WAIT)
        assert done.status_code == 200, done.text
        assert (done.json()["state"], done.json()["simulation"]) == ("done", None), done.json()
        report = client.get(f"/v1/simulations/{done.json()['id']}/report").json()
    assert report["history"]["calls"] == 54
    assert report["options"]["where"] == {"team": "red", "tenant": TENANT}
    assert [each["value"] for each in report["sweep"]["points"]] == ["10", "20", "30"]
    assert report["command"][:6] == ["spendgate", "policy", "simulate", NAME, "--version", done.json()["hash"][:12]]


def test_a_draft_is_simulated_as_one_types_and_nothing_is_stored(opened: Door) -> None:
    with opened.as_("editor", "typist") as client:
        as_text = client.post("/v1/simulations", json={"policy": source("30", "typed")}, headers=WAIT)
        assert (as_text.status_code, as_text.json()["state"]) == (200, "done"), as_text.text
        assert (as_text.json()["stored"], as_text.json()["simulation"]) == (False, None)
        report = client.get(f"{as_text.headers['location']}/report").json()
        assert report["verdicts"]["closed"]["deny"]["calls"] > 0
        as_object = client.post("/v1/simulations", json={"policy": json.loads(json.dumps(OBJECT))}, headers=WAIT)
        assert as_object.json()["state"] == "done"
        assert client.get("/v1/policies/typed").status_code == 404
        wrong = client.post("/v1/simulations", json={"policy": source("a lot", "typed")})
        assert wrong.status_code == 422
        assert "cap_usd" in wrong.json()["errors"][0]["field"]
        assert "a lot" not in wrong.text


OBJECT = {
    "apiVersion": "spendgate/v1", "kind": "Policy", "metadata": {"name": "typed"},
    "spec": {"rules": [{"boundary": {"max_cost_usd": "0.50", "on_breach": "deny"}}]},
}  # fmt: skip


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "to"),
        ({"where": {"tenant": "other"}}, "where.tenant"),
        ({"sweep": "cap=secret-7"}, "sweep"),
        ({"suggest": "secret-7"}, "suggest"),
        ({"prompt": "secret-7"}, "prompt"),
        ({"from": "0001-01-01T00:00:00+14:00"}, "from"),
    ],
)
def test_options_that_make_no_sense_are_named_and_not_repeated(
    opened: Door, options: dict[str, Any], field: str
) -> None:
    with opened.as_("editor") as client:
        answer = client.post(versions(client), json=options)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"].startswith(field)
    assert "secret-7" not in answer.text


def test_simulations_are_listed_page_by_page_and_only_ones_own(opened: Door) -> None:
    with opened.as_("editor") as client, opened.as_("editor", tenant="strangers") as stranger:
        made = [client.post("/v1/simulations", json={"policy": OBJECT}, headers=WAIT).json()["id"] for _ in range(3)]
        first = client.get("/v1/simulations", params={"policy": "typed", "limit": 2}).json()
        second = client.get("/v1/simulations", params={"policy": "typed", "limit": 2, "cursor": first["next"]}).json()
        assert [each["id"] for each in [*first["items"], *second["items"]]][:3] == made[::-1]
        assert stranger.get("/v1/simulations").json() == {"items": [], "next": None}
        for path in (made[0], f"{made[0]}/report", f"{made[0]}/events"):
            assert stranger.get(f"/v1/simulations/{path}").status_code == 404
        assert stranger.post(f"/v1/simulations/{made[0]}/cancel").status_code == 404


def test_readers_read_and_editors_start_and_cancel(opened: Door) -> None:
    with opened.as_("editor") as editor, opened.as_("viewer") as viewer, opened.as_("ingest") as sender:
        id_ = editor.post("/v1/simulations", json={"policy": OBJECT}, headers=WAIT).json()["id"]
        assert viewer.get(f"/v1/simulations/{id_}").status_code == 200
        assert sender.get(f"/v1/simulations/{id_}/events").status_code == 403
        assert viewer.post(f"/v1/simulations/{id_}/cancel").status_code == 403
        assert viewer.post("/v1/simulations", json={"policy": OBJECT}).status_code == 403
        ended = editor.post(f"/v1/simulations/{id_}/cancel")
        assert (ended.status_code, ended.json()["type"]) == (409, "urn:spendgate:problem:has_ended")


# A process that is held still stands for a simulation that takes long


def door_pid(door: Door) -> int:
    assert door.process is not None
    return door.process.pid


def children(door: Door) -> list[int]:
    """The processes that simulate for a door."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((each / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == door_pid(door) and b"simulations.process" in (each / "cmdline").read_bytes():
                found.append(int(each.name))
        except OSError:
            continue
    return found


def held(door: Door, client: httpx.Client) -> tuple[str, int]:
    """A simulation that runs and does not come to its end: its id, and the process that is held."""
    simulated(client, "/v1/simulations", {"policy": OBJECT})
    until(lambda: len(children(door)) == 1, "one process that waits for work")
    (pid,) = children(door)
    os.kill(pid, signal.SIGSTOP)
    id_ = client.post(versions(client)).json()["id"]
    until(lambda: state_of(door, id_) != "queued", "the simulation to run")
    if children(door) == [pid]:
        return id_, pid
    # It had not been put back yet when it was held, and another one was begun.
    os.kill(pid, signal.SIGKILL)
    until(lambda: state_of(door, id_) == "done", "the simulation to end")
    return held(door, client)


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_a_process_is_ready_before_an_editor_s_first_draft(opened: Door) -> None:
    for pid in children(opened):
        os.kill(pid, signal.SIGKILL)
    with Browser(opened) as editor, opened.as_("editor") as client:
        editor.by_key(opened.key("editor", "eda"))
        assert editor.get("/policies").status_code == 200
        until(lambda: len(children(opened)) == 1, "a process that waits")
        ready = children(opened)
        done = client.post("/v1/simulations", json={"policy": OBJECT}, headers=WAIT)
        assert (done.status_code, children(opened)) == (200, ready)


def test_what_is_cancelled_is_killed_and_the_next_one_runs(opened: Door) -> None:
    with opened.as_("editor") as client:
        id_, pid = held(opened, client)
        assert os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, door_pid(opened))
        told = client.post(f"/v1/simulations/{id_}/cancel").json()
        assert (told["state"], told["ended_by"]) == ("cancelled", "ann")
        until(lambda: gone(pid), "the process to end")
        assert events(client, id_)[-1][0] == "cancelled"
        report = client.get(f"/v1/simulations/{id_}/report")
        assert (report.status_code, report.json()["type"]) == (409, "urn:spendgate:problem:no_report")
        assert client.post(versions(client), headers=WAIT).json()["state"] == "done"


def test_a_stream_ends_with_the_key_that_asked_for_it(opened: Door) -> None:
    key = opened.key("viewer", "eve")
    with opened.as_("editor") as client:
        id_, _ = held(opened, client)
        asked = client.stream("GET", f"/v1/simulations/{id_}/events", headers={"Authorization": f"Bearer {key}"})
        with asked as answer:
            lines = answer.iter_lines()
            assert next(lines) == "event: progress"
            with opened.changes().of(TENANT, "op") as change:
                api_keys.revoke(change, key.removeprefix("sgk_").split("_")[0], "left")
            for _ in lines:
                pass
        assert client.get(f"/v1/simulations/{id_}").json()["state"] == "running"
        client.post(f"/v1/simulations/{id_}/cancel")


def test_a_stream_ends_with_the_session_that_asked_for_it(opened: Door) -> None:
    with opened.as_("editor") as client, Browser(opened) as browser:
        id_, _ = held(opened, client)
        assert browser.by_key(opened.key("viewer", "eve")).status_code == 303
        with browser.stream("GET", f"/v1/simulations/{id_}/events") as answer:
            lines = answer.iter_lines()
            assert next(lines) == "event: progress"
            assert browser.submit("/logout").status_code == 303
            for _ in lines:
                pass
        assert client.get(f"/v1/simulations/{id_}").json()["state"] == "running"
        client.post(f"/v1/simulations/{id_}/cancel")


@pytest.mark.asyncio
@pytest.mark.parametrize(("kind", "is_whole"), [("text/event-stream; charset=utf-8", True), ("text/plain", False)])
async def test_only_an_answer_that_goes_on_may_outlast_the_limit_of_a_request(kind: str, is_whole: bool) -> None:
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", kind.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for _ in range(20):
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"end"})

    async def keep(message: Message) -> None:
        sent.append(message)

    async def nothing() -> Message:
        return {"type": "http.disconnect"}

    guard = Guard(app, replace(Limits(), request_s=0.0), lambda: "r-1")
    await guard({"type": "http", "headers": []}, nothing, keep)
    assert (sent[-1].get("body") == b"end") == is_whole


def test_a_process_that_dies_is_replaced_and_the_job_is_done_after_all(opened: Door) -> None:
    with opened.as_("editor") as client:
        id_, pid = held(opened, client)
        os.kill(pid, signal.SIGKILL)
        assert events(client, id_)[-1][0] == "done"
        assert client.get(f"/v1/simulations/{id_}").json()["tries"] == 2


def test_a_stop_puts_what_runs_back_and_a_kill_loses_and_doubles_nothing(make_door: MakeDoor) -> None:
    door = make_door(started=False)
    months(door.ledger, 60)
    door.start()
    with door.as_("editor") as client:
        client.post("/v1/policies", content=source(), headers=YAML)
        id_, pid = held(door, client)
        with client.stream("GET", f"/v1/simulations/{id_}/events") as watched:
            assert door.stop() in (0, -signal.SIGTERM), "though somebody watches"
            watched.read()
        until(lambda: gone(pid), "the process to end")
        door.start()
        assert events(client, id_)[-1][0] == "done"
        assert client.get(f"/v1/simulations/{id_}").json()["tries"] == 1
        second, pid = held(door, client)
        door.stop(kill=True)
        os.kill(pid, signal.SIGCONT)
        until(lambda: gone(pid), "the process to see that its door has gone")
        assert state_of(door, second) == "running"
        with door.database.begin() as connection:  # as if its lease had run out
            connection.execute(update(jobs).values(until_ms=1).where(jobs.c.id == second))
        door.start()
        assert events(client, second)[-1][0] == "done"
        ended = [client.get(f"/v1/simulations/{each}").json()["simulation"] for each in (id_, second)]
        assert [each["id"] for each in client.get(versions(client)).json()] == ended


def state_of(door: Door, id_: str) -> str:
    """The state of a simulation, as the store has it."""
    with door.database.read() as connection:
        return str(connection.scalar(select(jobs.c.state).where(jobs.c.id == id_)))


def test_without_a_ledger_it_is_said_at_once(make_door: MakeDoor) -> None:
    door = make_door(SPENDGATE_LEDGER="")
    with door.as_("editor") as client:
        answer = client.post("/v1/simulations", json={"policy": OBJECT})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:spendgate:problem:no_ledger")


# By command


def environment(door: Door) -> dict[str, str]:
    return {"SPENDGATE_URL": door.url, "SPENDGATE_API_KEY": door.key("editor")}


def run(door: Door, *arguments: str, code: int = 0) -> str:
    found = CliRunner().invoke(app, ["policy", "simulate", *arguments], env=environment(door))
    assert found.exit_code == code, (found.output, found.exception)
    return found.stdout if code == 0 else found.output


def test_the_command_waits_for_the_end_and_prints_the_report(opened: Door, tmp_path: Path) -> None:
    assert "1 full windows, 2026-02-20" in run(opened, NAME)
    part = run(opened, NAME, "--from", "2026-03-01", "--where", "team=red", "--report")
    assert "1 full windows, 2026-03-01" in part
    assert "would-be verdict" in part
    file = tmp_path / "typed.yaml"
    file.write_text(source("30", "typed"))
    report = json.loads(run(opened, "--draft", str(file), "--sweep", "cap=10:30:10", "--json"))
    assert (report["report"], len(report["sweep"]["points"])) == ("spendgate.simulation/v1", 3)
    again = json.loads(run(opened, "--draft", str(file), *report["command"][6:], "--json"))
    assert again == report, "the command of a report gives the report again"
    assert "sweep: cap=" in run(opened, NAME, "--sweep", "nonsense", code=2)
    assert "NAME" in run(opened, code=2)
    assert "full window" in run(opened, NAME, "--suggest", f"{NAME}/0", "--from", "2026-04-01", code=4)


def test_an_interrupt_of_the_command_cancels_the_simulation(opened: Door) -> None:
    with opened.as_("editor") as client:
        first, _ = held(opened, client)
        command = [sys.executable, "-c", INTERRUPTIBLE, "policy", "simulate", NAME]
        shell = subprocess.Popen(
            command,
            env={**os.environ, **environment(opened)},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert shell.stderr is not None
        id_ = shell.stderr.readline().split()[-1]
        shell.send_signal(signal.SIGINT)
        _, told = shell.communicate(timeout=120)
        assert (shell.returncode, told.strip().splitlines()[-1]) == (130, f"spendgate: cancelled: {id_}")
        assert client.get(f"/v1/simulations/{id_}").json()["state"] == "cancelled"
        client.post(f"/v1/simulations/{first}/cancel")
