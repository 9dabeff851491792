"""``spendgate``: the command and its parts."""

from typing import Annotated

import typer

from spendgate import __version__
from spendgate.cli import (
    admin,
    admin_people,
    alert_api,
    certificate,
    counters,
    decisions,
    demo,
    dev,
    diff,
    enforcement,
    explain,
    export_api,
    gate_api,
    import_policies,
    ledger,
    login,
    policies,
    policy_api,
    policy_tests,
    prices,
    privacy_api,
    reconcile,
    review_api,
    send,
    session_api,
    simulate,
    topics,
    validate,
)

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Prove an AI spend control in shadow before you enforce it.",
    epilog="Exit codes: 0 done, 1 a check found something, 2 wrong usage or input, 3 something needed is missing or "
    "does not answer, 4 refused as unsafe, 130 interrupted.",
)
app.command()(validate.validate)
app.command()(simulate.simulate)
app.command()(explain.explain)
app.command()(reconcile.reconcile)
app.command("test")(policy_tests.run)
app.command()(diff.diff)
app.add_typer(import_policies.app, name="import")
app.command()(send.send)
app.command()(decisions.decisions)
app.command()(login.login)
app.add_typer(login.app, name="key")
app.add_typer(session_api.app, name="session")
policy_api.register(policies.app)
app.add_typer(policies.app, name="policy")
app.add_typer(review_api.app, name="review")
app.command()(gate_api.gate)
app.add_typer(gate_api.criteria_app, name="criteria")
app.add_typer(gate_api.waiver_app, name="waiver")
app.add_typer(certificate.app, name="certificate")
app.add_typer(enforcement.app, name="enforcement")
app.add_typer(alert_api.app, name="alert")
app.command()(export_api.export)
app.add_typer(privacy_api.app, name="privacy")
app.add_typer(ledger.app, name="ledger")
app.add_typer(counters.app, name="counters")
app.add_typer(prices.app, name="prices")
app.add_typer(topics.app, name="topics")
admin.app.add_typer(admin_people.app, name="people")
app.add_typer(admin.app, name="admin")
app.add_typer(admin.audit_app, name="audit")
app.add_typer(dev.app, name="dev")
app.command()(demo.demo)
app.command()(demo.quickstart)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"spendgate {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What holds for every command."""


def main() -> None:
    """The entry point."""
    app()
