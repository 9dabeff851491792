"""What a door does behind its answers goes on for as long as the door lives, whatever it meets."""

import asyncio
import logging

import pytest
from sqlalchemy import delete, insert, select

from policy_store.tables import outbox
from telemetry.lasting import lasting
from tests.door.conftest import TENANT, Door, MakeDoor
from tests.live.waiting import until


def waiting(door: Door) -> list[int]:
    with door.database.read() as connection:
        return list(connection.scalars(select(outbox.c.number).where(outbox.c.sent_ms.is_(None))))


def test_the_outbox_goes_on_after_a_row_that_nobody_foresaw(make_door: MakeDoor) -> None:
    door = make_door()
    strange = {"topic": "nowhere", "key": b"k", "value": b"the-patient-said", "created_ms": 0}
    with door.database.begin() as connection:
        connection.execute(insert(outbox).values(**strange))
    until(lambda: "the outbox: KeyError" in door.output.read_text(), "the door to tell of it")
    with door.database.begin() as connection:
        connection.execute(delete(outbox).where(outbox.c.topic == "nowhere"))
        connection.execute(insert(outbox).values(strange | {"topic": "reconciliations", "key": TENANT.encode()}))
    until(lambda: not waiting(door), "what follows to be sent")
    assert "patient" not in door.output.read_text()
    assert door.stop() == 0


def test_work_begins_anew_after_what_it_did_not_foresee_and_tells_its_kind_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    times: list[int] = []

    async def work() -> None:
        times.append(1)
        if len(times) < 3:
            raise LookupError("the-patient-said")

    async def run() -> None:
        await lasting("the work", work, again_s=0)

    with caplog.at_level(logging.ERROR):
        asyncio.run(run())
    assert len(times) == 3
    assert caplog.messages == ["the work: LookupError; it begins anew"] * 2


def test_work_that_is_cancelled_does_not_begin_anew() -> None:
    async def run() -> bool:
        task = lasting("the work", asyncio.Event().wait)  # type: ignore[arg-type]
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return task.cancelled()

    assert asyncio.run(run())
