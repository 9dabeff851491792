"""Lanes: what waits is sent whatever is killed or silent, and no target waits for another. On both databases."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway_shadow.alerting import lanes
from gateway_shadow.alerting.addresses import Allowed
from gateway_shadow.alerting.lanes import Lanes
from gateway_shadow.alerting.sending import Sender
from policy_store import alert_targets
from policy_store.alert_deliveries import LEASE_MS, Deliveries
from policy_store.alert_targets import Target, sealer_of
from policy_store.change import Changes, now_ms
from policy_store.signing import make_key_file
from tests.door.receiver import Got, Receiver, Says, receiving
from tests.store.conftest import Store, store, url
from tests.store.scenes import TENANT, change, tenant
from tests.store.test_alerts import of_alert, raised

__all__ = ["store", "url"]

ROOT = Path(__file__).resolve().parents[2]


def target(store: Store, receiver: Receiver, name: str, path: str = "/hook") -> Target:
    with change(store) as made:
        return alert_targets.create(made, sealer_of(store.signer), name, "webhook", receiver.url(path)).target


@asynccontextmanager
async def running(store: Store, changes: Changes | None = None, holder: str = "one") -> AsyncIterator[asyncio.Event]:
    """Lanes that run meanwhile; setting the event stops them."""
    sender = Sender(sealer_of(store.signer), Allowed.parse("127.0.0.1"))
    stopping = asyncio.Event()
    made = Lanes(Deliveries(changes or store.changes, holder, lambda: 0.5), sender)
    task = asyncio.create_task(made.run(stopping))
    yield stopping
    stopping.set()
    await task


async def until(condition: Callable[[], object], what: str, deadline_s: float = 40.0) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "EVERY_S", 0.02)
    monkeypatch.setattr(lanes, "STOP_WITHIN_S", 0.2)


def states(store: Store, ids: list[str], to: Target) -> list[str]:
    return [each.state for id_ in ids for each in of_alert(store, id_) if each.target == to.id]


@pytest.mark.asyncio
async def test_a_target_that_never_answers_holds_up_no_other_and_gets_its_own_after_a_restart(store: Store) -> None:
    tenant(store)
    with receiving(lambda _: None) as never, receiving() as prompt:
        slow, other = target(store, never, "slow"), target(store, prompt, "other")
        ids = raised(store, *range(12))
        async with running(store):
            await until(lambda: len(never.got) == 1, "the slow one to be asked")
            await until(lambda: set(states(store, ids, other)) == {"sent"}, "all to the other")
            assert len(never.got) == 1
            assert sorted(prompt.ids()) == sorted(ids)
        assert set(states(store, ids, slow)) == {"waiting"}
        never.answering = lambda _: Says()
        store.clock.ms += LEASE_MS
        async with running(store, holder="two"):
            await until(lambda: set(states(store, ids, slow)) == {"sent"}, "all to the slow one")
    assert set(never.ids()) == set(ids)
    assert len(never.got) == len(ids) + 1, "the one that was under way was sent again, under its id"


@pytest.mark.asyncio
async def test_what_is_refused_is_sent_again_when_its_pause_is_over_and_not_before(store: Store) -> None:
    tenant(store)
    said = iter([Says(500), Says(429, {"Retry-After": "600"}), Says(200)])
    with receiving(lambda _: next(said)) as receiver:
        to = target(store, receiver, "ops")
        (id_,) = raised(store, 1)
        async with running(store):
            for number, pause_ms in ((1, 5_000), (2, 600_000), (3, 0)):
                await until(lambda number=number: of_alert(store, id_)[0].attempts == number, "an attempt")  # type: ignore[misc]
                store.clock.ms += max(0, pause_ms - 1)
                await asyncio.sleep(0.1)  # several rounds, in which nothing may be sent
                assert len(receiver.got) == number
                store.clock.ms += 1
    assert states(store, [id_], to) == ["sent"]
    assert (set(receiver.ids()), {each.body for each in receiver.got}) == ({id_}, {receiver.got[0].body})


@pytest.mark.asyncio
async def test_two_doors_share_what_waits_and_send_nothing_twice(store: Store) -> None:
    tenant(store)
    with receiving() as receiver:
        targets = [target(store, receiver, f"t{n}", f"/{n}") for n in range(4)]
        ids = raised(store, *range(8))
        async with running(store, holder="one"), running(store, holder="two"):
            await until(lambda: all(set(states(store, ids, to)) == {"sent"} for to in targets), "all sent")
        sent = [(each.path, each.headers["webhook-id"]) for each in receiver.got]
    assert sorted(sent) == sorted((f"/{n}", id_) for n in range(4) for id_ in ids)


CHILD = """
import asyncio, os, signal, sys
from pathlib import Path
from gateway_shadow.alerting.addresses import Allowed
from gateway_shadow.alerting.lanes import Lanes
from gateway_shadow.alerting.sending import Sender
from policy_store.alert_deliveries import Deliveries
from policy_store.alert_targets import sealer_of
from policy_store.change import Changes
from policy_store.database import Database
from policy_store.signing import read_key_file

def passed(name):
    if name == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)

sender = Sender(sealer_of(read_key_file(Path(sys.argv[3]))), Allowed.parse("127.0.0.1"))
lanes = Lanes(Deliveries(Changes(Database(sys.argv[2])), "child"), sender, passed)
asyncio.run(lanes.run(asyncio.Event()))
"""


@pytest.mark.parametrize(("point", "sent"), [("claimed", 0), ("sent", 1), ("settled", 1)])
def test_a_door_that_is_killed_between_two_steps_loses_nothing_and_sends_again_under_the_same_id(
    store: Store, tmp_path: Path, point: str, sent: int
) -> None:
    store.signer = make_key_file(tmp_path / "store.pem")
    store.clock.ms = now_ms()
    tenant(store)
    with receiving() as receiver:
        to = target(store, receiver, "ops")
        (id_,) = raised(store, 1)
        command = [sys.executable, "-c", CHILD, point, store.url, str(tmp_path / "store.pem")]
        ended = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, timeout=60, check=False)
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
        assert len(receiver.got) == sent
        later = Changes(store.database, lambda: now_ms() + LEASE_MS)
        asyncio.run(_finished(store, later, lambda: states(store, [id_], to) == ["sent"]))
        assert set(receiver.ids()) == {id_}
        assert len(receiver.got) == (2 if point == "sent" else 1)
        assert len({each.body for each in receiver.got}) == 1


async def _finished(store: Store, changes: Changes, condition: Callable[[], object]) -> None:
    async with running(store, changes, "another"):
        await until(condition, "the delivery")


def test_only_what_the_alert_is_stands_in_a_message(store: Store) -> None:
    """The tenant's names and sums; no key, no address, no secret."""
    tenant(store)
    with receiving() as receiver:
        target(store, receiver, "ops", "/a-path-that-is-a-secret")
        raised(store, 1)
        asyncio.run(_finished(store, store.changes, lambda: receiver.got))
        (got,) = [each for each in receiver.got if isinstance(each, Got)]
    assert sorted(got.headers) == [
        "accept", "accept-encoding", "connection", "content-length", "content-type", "host", "user-agent", "webhook-id",
        "webhook-signature", "webhook-timestamp",
    ]  # fmt: skip
    assert b"secret" not in got.body
    assert TENANT.encode() in got.body
