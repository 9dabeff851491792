"""A door whose store is PostgreSQL, which ends and comes back in the middle of use."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from dev.postgres_process import PostgresProcess, postgres_programs
from dev.report import silent
from dev.stack import Stack
from tests.door.conftest import Door, make_upon
from tests.door.test_policies import NAME, YAML, draft, months, move
from tests.live.waiting import until
from tests.store.scenes import source


@pytest.fixture
def server(postgres: PostgresProcess, new_directory: Callable[[], Path]) -> Iterator[PostgresProcess]:
    """A server of the test's own. ``postgres`` says whether there can be one."""
    directory = new_directory()
    made = PostgresProcess(directory, postgres_programs(directory / "setup.log", silent))
    made.start()
    made.wait_ready(60)
    yield made
    made.kill()


@pytest.fixture
def door(server: PostgresProcess, stack: Stack, tmp_path: Path) -> Iterator[Door]:
    """A door upon it, with history to simulate over."""
    made = make_upon(server, stack.bootstrap, tmp_path)
    months(made.ledger, 60)
    made.start()
    yield made
    made.close()


class Drafting(threading.Thread):
    """Drafts one policy after the other, and knows what was said of each."""

    def __init__(self, client: httpx.Client) -> None:
        super().__init__()
        self._client = client
        self.said: list[tuple[str, httpx.Response]] = []
        self.ended = threading.Event()

    def run(self) -> None:
        """Until told to end."""
        while not self.ended.is_set():
            name = f"p{len(self.said)}"
            answer = self._client.post("/v1/policies", content=source("5", name), headers=YAML)
            self.said.append((name, answer))

    def count(self, status: int) -> int:
        """How many were answered so."""
        return sum(answer.status_code == status for _, answer in self.said)


def test_a_store_that_ends_and_comes_back_loses_and_doubles_nothing(door: Door, server: PostgresProcess) -> None:
    with (
        door.as_("editor", "ann") as ann, door.as_("approver", "bob") as bob, door.as_("approver", "cat") as cat,
        door.as_("ingest", "app") as sender, door.as_("operator", "op") as op,
    ):  # fmt: skip
        event = {"id": "e1", "time": "2026-11-24T10:00:00Z", "team": "red", "cost_nano_usd": 5}
        assert sender.post("/v1/events", json=event).status_code == 202
        hash_ = draft(ann)["latest"]["hash"]
        begun = ann.post(f"/v1/policies/{NAME}/versions/{hash_}/simulations").json()["id"]
        drafting = Drafting(ann)
        drafting.start()
        until(lambda: drafting.count(201) > 5, "some drafts")
        server.kill()
        until(lambda: drafting.count(503) > 3, "to be told")
        assert sender.post("/v1/events", json={**event, "id": "e2"}).status_code == 202, "senders lose nothing"
        assert httpx.get(f"{door.url}/health/ready").status_code == 503
        server.start()
        server.wait_ready(60)
        known = drafting.count(201)
        until(lambda: drafting.count(201) > known + 5, "drafts again")
        drafting.ended.set()
        drafting.join()
        told = {answer.status_code: answer for _, answer in drafting.said}
        assert set(told) == {201, 503}
        assert told[503].json()["detail"].startswith("store: the database does not answer")
        assert "retry-after" in told[503].headers
        stored = [each["name"] for each in ann.get("/v1/policies").json()]
        assert len(set(stored)) == len(stored)
        assert {name for name, answer in drafting.said if answer.status_code == 201} < set(stored)
        until(lambda: ann.get(f"/v1/simulations/{begun}").json()["state"] == "done", "the simulation")
        assert len(ann.get(f"/v1/policies/{NAME}/versions/{hash_}/simulations").json()) == 1
        asked = ann.post(f"/v1/policies/{NAME}/stagings", json={"hash": hash_}).json()
        answers: list[httpx.Response] = []
        both = [threading.Thread(target=lambda by=by: answers.append(move(by, asked, "approve"))) for by in (bob, cat)]
        for each in both:
            each.start()
        for each in both:
            each.join()
        assert sorted(each.status_code for each in answers) == [200, 412], "of two approvers at once one does"
        until(lambda: activations(door) == [asked["id"]], "the activation")
        assert op.get("/v1/audit/verify").json()["whole"] is True


def activations(door: Door) -> list[str]:
    """The stagings that the log's records name."""
    found = [msgspec.json.decode(row.value) for row in door.rows()]
    return [each["staging"] for each in found if isinstance(each, dict) and "staging" in each]
