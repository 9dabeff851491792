"""``spendgate counters``: whether Redis holds what the log says, and how to have it built anew."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from spendgate.cli.counters_view import show_counters
from spendgate.cli.endpoints import kafka_bootstrap, one_line_errors, redis_url
from spendgate.cli.say import FOUND, INTERRUPTED, USAGE, notice
from spendgate.failure import NEEDED, Failure

if TYPE_CHECKING:
    from spendgate.cli.counters_run import Asked

app = typer.Typer(no_args_is_help=True, help="The counters in Redis: prove them, or have them built anew.")

Bootstrap = Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Kafka. [default: SPENDGATE_KAFKA]")]
Redis = Annotated[str | None, typer.Option(metavar="URL", help="Redis. [default: SPENDGATE_REDIS]")]
LedgerPath = Annotated[
    str | None,
    typer.Option("--ledger", metavar="PATH", help="The ledger, for what the topic has no more, and for speed."),
]
Tenant = Annotated[str | None, typer.Option(help="Of this tenant alone.")]
Partitions = Annotated[list[int] | None, typer.Option("--partition", min=0, help="Of this partition; repeatable.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def verify(
    bootstrap: Bootstrap = None,
    redis: Redis = None,
    ledger: LedgerPath = None,
    tenant: Tenant = None,
    partition: Partitions = None,
    as_json: Json = False,
) -> None:
    """Compare every counter, identity and document in Redis with a replay of the log, to the nano-dollar.

    Workers may go on meanwhile. Exit code 0: all is equal; 1: something differs.
    """
    with told_of_counters():
        from spendgate.cli.counters_run import verified

        found = verified(asked(bootstrap, redis, ledger), tenant, partition or ())
        typer.echo(_encoded(found)) if as_json else show_counters(found)
    if not found.equal:
        raise typer.Exit(FOUND)


@app.command()
def rebuild(
    bootstrap: Bootstrap = None,
    redis: Redis = None,
    ledger: LedgerPath = None,
    tenant: Annotated[str | None, typer.Option(help="The partition of this tenant.")] = None,
    partition: Partitions = None,
    every: Annotated[bool, typer.Option("--all", help="Every partition.")] = False,
    wait_s: Annotated[float, typer.Option("--wait-s", min=1, help="How long a worker may take.")] = 600.0,
    as_json: Json = False,
) -> None:
    """Take a partition's counters out of Redis, wait until its worker has built them anew from the log, and verify.

    Nothing is judged on counters that are not whole. Refused (exit code 4) where neither topic nor ledger has all of
    the log.
    """
    with told_of_counters():
        from spendgate.cli.counters_run import rebuilt

        if not (tenant or partition or every):
            raise Failure("expected --partition, --tenant or --all", USAGE)
        found = rebuilt(asked(bootstrap, redis, ledger), tenant, partition or (), wait_s, notice)
        typer.echo(_encoded(found)) if as_json else show_counters(found)
    if not found.equal:
        raise typer.Exit(FOUND)


def asked(bootstrap: str | None, redis: str | None, ledger: str | None) -> "Asked":
    """Where things are: by option, environment, or the development stack."""
    from spendgate.cli.counters_run import Asked

    return Asked(kafka_bootstrap(bootstrap), redis_url(redis), ledger)


def _encoded(found: object) -> str:
    import msgspec

    return json.dumps(msgspec.to_builtins(found))


@contextmanager
def told_of_counters() -> Iterator[None]:
    """What can go wrong, as one line and an exit code."""
    with one_line_errors(), counter_failures():
        yield


@contextmanager
def counter_failures() -> Iterator[None]:
    """What can go wrong, as a Failure: for who goes on after it."""
    try:
        import agents  # noqa: F401 - service folders are in a checkout and the image, and in no wheel
        import window_counters  # noqa: F401
    except ImportError:
        raise Failure("counters: expected a checkout or the image of Spendgate; the wheel alone cannot") from None
    from spendgate.cli.counters_run import told

    try:
        with told():
            yield
    except KeyboardInterrupt:
        raise Failure("interrupted", INTERRUPTED) from None
    except ImportError:
        raise Failure("expected Spendgate's services; run: make setup", NEEDED) from None
