"""``python -m dev.demo_gate``: exit code 0 where every fact was observed, 1 where one was not, 3 where something that
the story needs is missing."""

import typer

from dev.demo_gate.facts import Facts
from dev.demo_gate.run import run, told
from dev.errors import StackError
from dev.interrupts import endings_as_interrupts
from spendgate.cli.say import FOUND, told_clearly
from spendgate.failure import NEEDED, Failure


def main() -> None:
    """Play the story."""
    facts = Facts()
    with endings_as_interrupts(), told_clearly():
        try:
            run(facts)
        except StackError as error:
            told(facts)
            raise Failure(str(error), NEEDED) from None
        told(facts)
    if not facts.all_hold():
        raise typer.Exit(FOUND)


if __name__ == "__main__":
    typer.run(main)
