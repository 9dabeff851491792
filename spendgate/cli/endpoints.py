"""Where Kafka and Redis are: an option, else the environment, else the development stack of this checkout."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

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

NEEDED, REFUSED = 3, 4
"""Exit codes: something needed is missing or unreachable; the request was refused as unsafe."""


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
    return _resolve(option, KAFKA_ENV, "bootstrap", "--bootstrap")


def redis_url(option: str | None) -> str:
    """The URL of Redis: the option, else SPENDGATE_REDIS, else the development stack."""
    return _resolve(option, REDIS_ENV, "redis_url", "--redis")


def kafka_security() -> dict[str, str]:
    """How to speak to Kafka, by kafka-python's keywords, from the environment's SPENDGATE_KAFKA_*."""
    return {keyword: os.environ[name] for keyword, name in _SECURITY_ENV.items() if os.environ.get(name)}


def _resolve(option: str | None, env: str, attribute: str, flag: str) -> str:
    found = option or os.environ.get(env) or _of_dev_stack(attribute)
    if not found:
        raise Failure(f"expected {flag}, or {env} in the environment, or a running development stack")
    return found


def _of_dev_stack(attribute: str) -> str | None:
    """From the running stack of a checkout; None in an installed wheel, where there is no such module."""
    try:
        running = import_module("dev.stack").status()
    except (ImportError, AttributeError):
        return None
    value = getattr(running, attribute, None)
    return str(value) if value else None
