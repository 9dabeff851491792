"""Where commands look for Kafka and Redis, and what they say when it is nowhere."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dev.stack import ServerStatus, Status
from spendgate.cli.endpoints import kafka_bootstrap, redis_url
from spendgate.failure import Failure
from spendgate.kafka_security import kafka_security

RESOLVERS: list[tuple[Callable[[str | None], str], str, str]] = [
    (kafka_bootstrap, "SPENDGATE_KAFKA", "kafka"),
    (redis_url, "SPENDGATE_REDIS", "redis"),
]
SECURITY = ("SECURITY", "SASL_MECHANISM", "USERNAME", "PASSWORD", "CA_FILE")


@pytest.fixture(autouse=True)
def _nothing_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("SPENDGATE_KAFKA", "SPENDGATE_REDIS", *(f"SPENDGATE_KAFKA_{each}" for each in SECURITY)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPENDGATE_DEV_DIR", str(tmp_path))


@pytest.mark.parametrize(("resolve", "env", "server"), RESOLVERS)
def test_an_option_wins_over_the_environment(
    monkeypatch: pytest.MonkeyPatch, resolve: Callable[[str | None], str], env: str, server: str
) -> None:
    monkeypatch.setenv(env, "of-the-environment")
    assert resolve(server) == server
    assert resolve(None) == "of-the-environment"


@pytest.mark.parametrize(("resolve", "env", "server"), RESOLVERS)
def test_the_environment_wins_over_the_stack_and_only_a_running_server_counts(
    monkeypatch: pytest.MonkeyPatch, resolve: Callable[[str | None], str], env: str, server: str
) -> None:
    running = Status("local", (ServerStatus(server, "running", "of-the-stack"),))
    monkeypatch.setattr("dev.stack.status", lambda _: running)
    assert resolve(None) == "of-the-stack"
    monkeypatch.setenv(env, "of-the-environment")
    assert resolve(None) == "of-the-environment"
    monkeypatch.delenv(env)
    silent = Status("local", (ServerStatus(server, "silent", "of-the-stack"),))
    monkeypatch.setattr("dev.stack.status", lambda _: silent)
    with pytest.raises(Failure):
        resolve(None)


@pytest.mark.parametrize(("resolve", "env", "server"), RESOLVERS)
def test_nowhere_is_exit_code_3_and_says_what_to_do(
    resolve: Callable[[str | None], str], env: str, server: str
) -> None:
    with pytest.raises(Failure, match=f"{server}.*{env}.*dev up") as failed:
        resolve(None)
    assert failed.value.exit_code == 3


def test_no_word_about_security_means_none() -> None:
    assert kafka_security() == {}


@pytest.mark.parametrize(("name", "exit_code"), [("SECURITY", 2), ("SASL_MECHANISM", 2), ("CA_FILE", 3)])
def test_a_mistyped_security_setting_is_never_taken_for_plaintext(
    monkeypatch: pytest.MonkeyPatch, name: str, exit_code: int
) -> None:
    monkeypatch.setenv(f"SPENDGATE_KAFKA_{name}", "sasl_sssl")
    with pytest.raises(Failure, match=f"^SPENDGATE_KAFKA_{name}: expected") as failed:
        kafka_security()
    assert failed.value.exit_code == exit_code
    assert "sasl_sssl" not in str(failed.value)
