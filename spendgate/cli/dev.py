"""``spendgate dev``: a real Kafka and a real Redis for a checkout, started, shown and ended."""

import json
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from dev.report import Report
    from dev.stack import Stack, Status
    from dev.state import Engine

app = typer.Typer(no_args_is_help=True, help="Start, show and end a local Kafka and Redis (from a checkout).")

_FOLLOW_S = 0.2
_INTERRUPTED = 130
_NEEDS_CHECKOUT = 3


EngineName = Literal["auto", "local", "docker"]
ServerName = Literal["kafka", "redis"]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0: the last one, else any free one.")]


@app.command()
def up(
    engine: Annotated[EngineName, typer.Option(help="auto: Docker where it answers.")] = "auto",
    kafka_port: Port = 0,
    redis_port: Port = 0,
    as_json: Json = False,
) -> None:
    """Start what does not run yet, and say where it is."""
    with _one_line() as home, _reporting() as report:
        from dev import stack

        wanted: Engine | None = None if engine == "auto" else engine
        made = stack.up(home, report, engine=wanted, kafka_port=kafka_port, redis_port=redis_port)
    typer.echo(json.dumps(_stack_json(made)) if as_json else _stack_text(made))


@app.command()
def down(
    wipe: Annotated[bool, typer.Option("--wipe", help="Delete data and logs too.")] = False,
    as_json: Json = False,
) -> None:
    """End what `up` started, and nothing else."""
    with _one_line() as home, _reporting() as report:
        from dev import stack

        ran = stack.down(home, report, wipe=wipe)
    text = ("stopped" if ran else "nothing was running") + (", data deleted" if wipe else "")
    typer.echo(json.dumps({"stopped": ran, "wiped": wipe}) if as_json else text)


@app.command()
def status(as_json: Json = False) -> None:
    """Show whether both answer, and where. Exit code 3 where one does not."""
    with _one_line() as home:
        from dev import stack

        found = stack.status(home)
    typer.echo(json.dumps(_status_json(found)) if as_json else _status_text(found))
    if not found.ready:
        raise typer.Exit(3)


@app.command()
def logs(
    server: Annotated[ServerName, typer.Argument(help="Whose log.")] = "kafka",
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 40,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    as_json: Json = False,
) -> None:
    """Print the end of a server's log."""
    if follow and as_json:
        raise typer.BadParameter("expected one of --follow and --json", param_hint="--json")
    with _one_line() as home:
        if as_json:
            text = _tail(_source(home, server, lines), lines)
            typer.echo(json.dumps({"server": server, "lines": text}))
        else:
            _print_log(_source(home, server, lines, follow=follow), lines, follow=follow)


def _stack_json(made: "Stack") -> dict[str, str]:
    return {
        "bootstrap": made.bootstrap,
        "redis_url": made.redis_url,
        "engine": made.engine,
        "directory": str(made.directory),
    }


def _stack_text(made: "Stack") -> str:
    return f"kafka  {made.bootstrap}\nredis  {made.redis_url}"


def _status_json(found: "Status") -> dict[str, object]:
    servers = {
        server.name: {
            "condition": server.condition,
            "address": server.address,
            "pids": list(server.pids),
            "log": None if server.log is None else str(server.log),
        }
        for server in found.servers
    }
    return {"ready": found.ready, "engine": found.engine, "servers": servers}


def _status_text(found: "Status") -> str:
    if found.engine is None:
        return "never started here: run `spendgate dev up`"
    return "\n".join(f"{server.name}  {server.condition:8} {server.address}" for server in found.servers)


def _source(home: Path, server: ServerName, lines: int, *, follow: bool = False) -> Path | list[str]:
    """The log file of a local server, or the command that prints a container's."""
    from dev import docker, stack

    found = stack.status(home)
    if found.engine == "docker":
        return docker.logs_command(home, server, lines, follow=follow)
    log = next(each.log for each in found.servers if each.name == server)
    if log is None or not log.is_file():
        raise stack.StackError(f"{server} has no log yet: run `spendgate dev up`")
    return log


def _tail(source: Path | list[str], lines: int) -> list[str]:
    if not isinstance(source, Path):
        told = subprocess.run(source, capture_output=True, text=True, check=False).stdout
        return told.splitlines()[-lines:] if lines else []
    with source.open(errors="replace") as text:
        return [line.rstrip("\n") for line in deque(text, maxlen=lines)]


def _print_log(source: Path | list[str], lines: int, *, follow: bool) -> None:
    if not isinstance(source, Path):
        raise typer.Exit(subprocess.call(source))
    for line in _tail(source, lines):
        typer.echo(line)
    if follow:
        _follow(source)


def _follow(log: Path) -> None:
    """Print what is appended, until interrupted."""
    with log.open(errors="replace") as text:
        text.seek(0, 2)
        while True:
            typer.echo(text.read(), nl=False)
            time.sleep(_FOLLOW_S)


@contextmanager
def _one_line() -> Iterator[Path]:
    """Give the stack's directory; end every failure of the body as one line and an exit code."""
    if find_spec("dev") is None or find_spec("dev.stack") is None:
        _end("this command runs from a checkout of Spendgate, not from an installed package", _NEEDS_CHECKOUT)
    from dev.errors import StackError
    from dev.interrupts import endings_as_interrupts
    from dev.places import home

    try:
        with endings_as_interrupts():
            yield home()
    except StackError as error:
        _end(str(error), error.exit_code)
    except KeyboardInterrupt:
        _end("interrupted", _INTERRUPTED)


def _end(line: str, code: int) -> None:
    typer.echo(f"spendgate dev: {line}", err=True)
    raise typer.Exit(code) from None


@contextmanager
def _reporting() -> Iterator["Report"]:
    """Lines on stderr, with a spinner below the last one where that is a terminal."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if not sys.stderr.isatty():
        yield lambda line: console.print(line, markup=False)
        return
    with console.status(""):
        yield lambda line: console.print(line, markup=False)
