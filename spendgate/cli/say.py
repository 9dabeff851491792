"""What the commands that speak to Kafka say besides their result: one line on stderr, and an exit code."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from spendgate.cli.endpoints import one_line_errors
from spendgate.failure import NEEDED, Failure
from spendgate.ledger.reader_problem import InputError

FOUND, USAGE, INTERRUPTED = 1, 2, 130
"""Exit codes: the check found something; wrong usage or input; Ctrl-C."""


def notice(line: str) -> None:
    """One line for the user, on stderr."""
    typer.echo(line, err=True)


def asked_for(what: str) -> str:
    """What the user types unseen, or a line of standard input."""
    return str(typer.prompt(what, hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()).strip()


@contextmanager
def told_without_kafka() -> Iterator[None]:
    """Turn what can go wrong with files into one line and an exit code; needs no client of Kafka's."""
    with one_line_errors():
        try:
            yield
        except InputError as error:
            raise Failure(str(error), USAGE) from None
        except OSError as error:
            raise Failure(f"{error.filename or 'file'}: {error.strerror or 'cannot be used'}", USAGE) from None
        except KeyboardInterrupt:
            raise Failure("interrupted", INTERRUPTED) from None


@contextmanager
def told_clearly() -> Iterator[None]:
    """Turn what can go wrong with files and Kafka into one line and an exit code, never a stack trace."""
    with one_line_errors(), kafka_failures():
        yield


@contextmanager
def kafka_failures() -> Iterator[None]:
    """Turn what can go wrong with files and Kafka into a Failure: for who goes on after it."""
    try:
        from spendgate.cli.kafka_client import KafkaAway
        from spendgate.model.topics import TopicsError
    except ImportError:
        raise Failure("expected Kafka's client; run: pip install 'spendgate[services]'") from None
    try:
        yield
    except KafkaAway as error:
        raise Failure(str(error), NEEDED) from None
    except (InputError, TopicsError) as error:
        raise Failure(str(error), USAGE) from None
    except OSError as error:
        raise Failure(f"{error.filename or 'file'}: {error.strerror or 'cannot be used'}", USAGE) from None
    except KeyboardInterrupt:
        raise Failure("interrupted", INTERRUPTED) from None
