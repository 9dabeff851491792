"""What cannot be reached is a Failure for whoever goes on after it, and an exit code only for a command."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import typer

from spendgate.cli.counters import counter_failures, told_of_counters
from spendgate.cli.kafka_client import KafkaAway
from spendgate.cli.say import kafka_failures, told_clearly
from spendgate.failure import NEEDED, Failure
from window_counters.protocol import StoreUnavailable

Failures = Callable[[], AbstractContextManager[None]]
AWAY = [KafkaAway("it is away"), StoreUnavailable("it is away")]


@pytest.mark.parametrize(
    ("failures", "away"), [(kafka_failures, AWAY[0]), (counter_failures, AWAY[1])], ids=["kafka", "redis"]
)
def test_an_agent_can_go_on_after_what_does_not_answer(failures: Failures, away: Exception) -> None:
    with pytest.raises(Failure, match="it is away") as told, failures():
        raise away
    assert told.value.exit_code == NEEDED


@pytest.mark.parametrize(
    ("failures", "away"), [(told_clearly, AWAY[0]), (told_of_counters, AWAY[1])], ids=["kafka", "redis"]
)
def test_a_command_ends_with_one_line_and_a_code(
    failures: Failures, away: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended, failures():
        raise away
    assert ended.value.exit_code == NEEDED
    assert capsys.readouterr().err == "spendgate: it is away\n"
