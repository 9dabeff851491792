"""``spendgate demo``: the live stream of would-be decisions, end to end, on a real Kafka and a real Redis."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from spendgate.cli.say import FOUND, told_clearly
from spendgate.failure import NEEDED, USAGE, Failure

RATE, VERTICAL_RATE = 3000, 40
"""Records a second, unless it is said otherwise."""


def demo(
    events: Annotated[int, typer.Option(min=1, max=5_000_000, help="How many records the sample has.")] = 30_000,
    file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Events of your own: JSONL, CSV, Azure trace."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the sample.")] = 7,
    rate: Annotated[
        int | None,
        typer.Option(min=0, help="Records a second (3000; of a vertical 40); 0: as fast as it goes."),
    ] = None,
    vertical: Annotated[
        str | None,
        typer.Option(help="A workflow of one industry instead, of examples/verticals, or a folder of your own."),
    ] = None,
    leave: Annotated[bool, typer.Option("--exit", help="End after the check, without waiting for Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing live.")] = False,
) -> None:
    """Stage example policies, stream a busy hour of AI calls, watch the decisions, and check them all."""
    with told_clearly():
        if vertical is not None and file is not None:
            raise Failure("expected --vertical or --file, not both", USAGE)
        if find_spec("dev") is None:
            raise Failure("expected a checkout: the demo starts its own Kafka, Redis and agents", NEEDED)
        from dev.demo.run import Wish, run
        from dev.errors import StackError
        from dev.interrupts import endings_as_interrupts
        from dev.verticals.run import VerticalWish, run_vertical
        from dev.verticals.shelf import NoVertical

        paced = 0 if as_json and rate is None else rate
        try:
            with endings_as_interrupts():
                if vertical is not None:
                    pace = VERTICAL_RATE if paced is None else paced
                    clean = run_vertical(VerticalWish(vertical, seed, pace, leave or as_json, as_json))
                else:
                    pace = RATE if paced is None else paced
                    clean = run(Wish(events, file, seed, pace, leave or as_json, as_json))
        except NoVertical as error:
            raise Failure(str(error), USAGE) from None
        except StackError as error:
            raise Failure(str(error), NEEDED) from None
    if not clean:
        raise typer.Exit(FOUND)


def quickstart(
    leave: Annotated[bool, typer.Option("--exit", help="End after the last step, without waiting for Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """The first five minutes: a key, one event, its decision, a policy simulated and staged; each with its command."""
    with told_clearly():
        if find_spec("dev") is None:
            raise Failure("expected a checkout: the quickstart starts its own servers and door", NEEDED)
        from dev.errors import StackError
        from dev.quickstart import run

        try:
            run(leave=leave, as_json=as_json)
        except StackError as error:
            raise Failure(str(error), NEEDED) from None
