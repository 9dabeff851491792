"""Where Kafka and Redis are: an option, else the environment, else the development stack of this checkout."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

KAFKA_ENV = "SPENDGATE_KAFKA"
REDIS_ENV = "SPENDGATE_REDIS"
_SECURITY_ENV = {
    "security_protocol": "SPENDGATE_KAFKA_SECURITY",
    "sasl_mechanism": "SPENDGATE_KAFKA_SASL_MECHANISM",
    "sasl_plain_username": "SPENDGATE_KAFKA_USERNAME",
    "sasl_plain_password": "SPENDGATE_KAFKA_PASSWORD",
    "ssl_cafile": "SPENDGATE_KAFKA_CA_FILE",
}

_SECURITY_WORDS = {
    "security_protocol": ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    "sasl_mechanism": ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
}

USAGE, NEEDED, REFUSED = 2, 3, 4
"""Exit codes: wrong usage; something needed is missing or unreachable; the request was refused as unsafe."""


class Failure(Exception):
    """A command cannot go on: one line for its user, and the exit code."""

    def __init__(self, message: str, exit_code: int = NEEDED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn a Failure into one line on stderr and its exit code."""
    try:
        yield
    except Failure as failure:
        typer.echo(f"spendgate: {failure}", err=True)
        raise typer.Exit(failure.exit_code) from None


def kafka_bootstrap(option: str | None) -> str:
    """``HOST:PORT[,HOST:PORT...]`` of Kafka: the option, else SPENDGATE_KAFKA, else the development stack."""
    return _resolve(option, KAFKA_ENV, "kafka", "--bootstrap")


def redis_url(option: str | None) -> str:
    """The URL of Redis: the option, else SPENDGATE_REDIS, else the development stack."""
    return _resolve(option, REDIS_ENV, "redis", "--redis")


def kafka_security() -> dict[str, str]:
    """How to speak to Kafka, by kafka-python's keywords, from the environment's SPENDGATE_KAFKA_*.

    Raises Failure for an unknown protocol or mechanism, which kafka-python would take for PLAINTEXT, and for
    a file of certificates that is not there.
    """
    found = {keyword: os.environ[name] for keyword, name in _SECURITY_ENV.items() if os.environ.get(name)}
    for keyword, allowed in _SECURITY_WORDS.items():
        if found.get(keyword, allowed[0]) not in allowed:
            raise Failure(f"{_SECURITY_ENV[keyword]}: expected one of {', '.join(allowed)}", USAGE)
    if "ssl_cafile" in found and not Path(found["ssl_cafile"]).is_file():
        raise Failure(f"{_SECURITY_ENV['ssl_cafile']}: expected a file of certificates")
    return found


def _resolve(option: str | None, env: str, server: str, flag: str) -> str:
    found = option or os.environ.get(env) or _of_dev_stack(server)
    if not found:
        raise Failure(f"where is {server}? expected {flag} or {env}, or a running stack (`spendgate dev up`)")
    return found


def _of_dev_stack(server: str) -> str | None:
    """The address of a running server of this checkout; an installed wheel has no such module."""
    try:
        from dev.errors import StackError
        from dev.places import home
        from dev.stack import status
    except ImportError:
        return None
    try:
        servers = status(home()).servers
    except StackError:
        return None
    return next((each.address for each in servers if each.name == server and each.condition == "running"), None)
