"""A call that is held for a person is held in time and without a fault, whatever becomes of the queue."""

import asyncio
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway_shadow.checks import check
from gateway_shadow.checks.ruling import Ruling
from spendgate.model.event import Event
from tests.reconcile.test_reconcile import busy

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DECISION = next(each for each in busy()[1] if each.reasons)


async def hangs(*_: object) -> Any:
    await asyncio.Event().wait()


async def fails(*_: object) -> Any:
    raise LookupError("the-patient-said")


@pytest.mark.parametrize("queue", [hangs, fails], ids=lambda each: each.__name__)
def test_a_call_is_held_in_time_whatever_the_queue_does(
    queue: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(check, "HELD_S", 0.05)
    event = Event(id="chk-1", source="check", tenant="acme", time=NOW)
    ruling = Ruling("review", DECISION.reasons)
    parts = cast("Any", SimpleNamespace(held=SimpleNamespace(outcomes=queue)))
    begun = time.monotonic()
    _, found, reviews = asyncio.run(asyncio.wait_for(check._looked_at(event, NOW, parts, DECISION, ruling), 30))
    assert time.monotonic() - begun < 20
    assert found == ruling
    assert reviews
    assert "patient" not in caplog.text
