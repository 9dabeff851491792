"""Checks behind the answer: whatever becomes of some, there is room for those that follow."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaError

from gateway_shadow.checks import recording
from gateway_shadow.checks.recording import Recorder
from spendgate.model.check import Check
from spendgate.model.topics import load_topics


class Writer:
    """Fails at first, and then writes."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error
        self.written = 0

    async def publish_all(self, _: str, messages: Sequence[object]) -> int:
        error, self.error = self.error, None
        if error is not None:
            raise error
        self.written += len(messages)
        return 0


def check(number: int) -> Check:
    return Check(
        check_id=f"chk-{number}", tenant="acme", time=datetime(2026, 1, 1, tzinfo=UTC), asked_by="key", allow=True,
        would_be="approve", reasons=(), took_us=1,
    )  # fmt: skip


@pytest.mark.parametrize("error", [KafkaError(), TimeoutError(), LookupError("the-patient-said")], ids=repr)
def test_what_is_lost_leaves_room_for_what_follows(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recording, "MOST_WAITING", 3)
    writer = Writer(error)

    async def run() -> None:
        recorder = Recorder(cast("Any", writer), load_topics())
        for number in range(3):
            recorder.check(check(number))
        await recorder.close()
        for number in range(3):
            recorder.check(check(number))
        await recorder.close()

    asyncio.run(run())
    assert writer.written == 3
    assert "patient" not in caplog.text
