"""Where Kafka and Redis are: an option, else the environment, else the development stack of this checkout."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from spendgate.failure import Failure

KAFKA_ENV = "SPENDGATE_KAFKA"
REDIS_ENV = "SPENDGATE_REDIS"


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
