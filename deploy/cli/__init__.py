"""The `amply` command. Each subcommand lives in a module of its own and is listed here."""

import typer

from deploy.cli import donations, operations, up

app = typer.Typer(
    name="amply",
    help="Run Amply on this machine, give, import, look after the messages.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("up")(up.up)
app.command("status")(operations.status)
app.command("donate")(donations.donate)
app.command("import")(donations.import_gifts)
app.command("replay")(operations.replay)
app.add_typer(operations.dead_letters, name="dead-letters")
ledger = typer.Typer(help="The ledger's public records.", no_args_is_help=True)
ledger.command("export")(donations.export)
app.add_typer(ledger, name="ledger")


def main() -> None:
    """Entry point of the console script."""
    app()
