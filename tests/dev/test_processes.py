"""Only what is ours is found, and only what is found is signalled."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dev import processes
from dev.kafka_process import KafkaProcess
from dev.redis_process import RedisProcess

_SLEEP = "import sys; print('up', flush=True); sys.stdin.read()"


@contextmanager
def _bystander(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A program of somebody else's, alive, with these arguments."""
    command = [sys.executable, "-c", _SLEEP, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is not None:
            process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def test_a_process_is_found_by_arguments_in_a_row() -> None:
    with _bystander("one", "two words", "three") as process:
        assert processes.find(("one", "two words")) == [process.pid]
        assert processes.find(("one", "three")) == []
        assert processes.find(("two", "words")) == []


def test_a_dead_process_is_not_found_even_before_it_is_reaped() -> None:
    with _bystander("soon-a-zombie") as process:
        processes.send(("soon-a-zombie",), signal.SIGKILL)
        while processes.find(("soon-a-zombie",)):
            pass
        assert process.wait(60) == -signal.SIGKILL


def test_a_signal_reaches_only_what_the_signature_names() -> None:
    with _bystander("ours", "a") as ours, _bystander("ours", "b") as other:
        processes.send(("ours", "a"), signal.SIGTERM)
        assert ours.wait(60) == -signal.SIGTERM
        assert other.poll() is None


def test_an_editor_of_a_configuration_is_no_server(new_directory: Callable[[], Path]) -> None:
    directory = new_directory()
    for server in (KafkaProcess(directory, 1, 1), RedisProcess(directory, 1)):
        with _bystander(str(server.config)) as editor:
            assert not server.alive
            server.stop()
            server.kill()
            assert editor.poll() is None
