"""The commands under test as one program: ``python -m tests.cli.command send FILE``."""

import typer

from spendgate.cli import policies
from spendgate.cli.decisions import decisions
from spendgate.cli.send import send

app = typer.Typer()
app.command()(send)
app.command()(decisions)
app.add_typer(policies.app, name="policy")

if __name__ == "__main__":
    app()
