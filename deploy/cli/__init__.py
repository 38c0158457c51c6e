"""The `amply` command. Each subcommand lives in a module of its own and is listed here."""

import typer

from deploy.cli.access import access
from deploy.cli.accounts import accounts
from deploy.cli.administering import key, member, organization, staff
from deploy.cli.auditing import audit
from deploy.cli.donations import donate, import_gifts
from deploy.cli.donors import donors
from deploy.cli.erasing import erase
from deploy.cli.exports import export
from deploy.cli.keys import rotate_key
from deploy.cli.ledger import balances, check, rebuild
from deploy.cli.limits import limits
from deploy.cli.operations import dead_letters, replay, status
from deploy.cli.organizations import open_fund, platform_fee
from deploy.cli.payouts import payouts
from deploy.cli.reconciling import reconcile
from deploy.cli.refunds import refund
from deploy.cli.sandbox import sandbox
from deploy.cli.triggering import scenarios_help, trigger
from deploy.cli.up import up
from deploy.cli.visibility import clock, visibility

app = typer.Typer(
    name="amply",
    help="Run Amply on this machine, give, import, look after the messages.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("up")(up)
app.command("status")(status)
app.command("donate")(donate)
app.command("refund")(refund)
app.command("import")(import_gifts)
app.command("replay")(replay)
app.command("erase")(erase)
app.command("reconcile")(reconcile)
app.add_typer(access, name="access")
app.add_typer(accounts, name="accounts")
app.add_typer(dead_letters, name="dead-letters")
organization.command("platform-fee")(platform_fee)
organization.command("open-fund")(open_fund)
app.add_typer(organization, name="organization")
app.add_typer(member, name="member")
app.add_typer(staff, name="staff")
app.add_typer(key, name="key")
ledger = typer.Typer(help="The ledger's records.", no_args_is_help=True)
ledger.command("export")(export)
ledger.command("visibility")(visibility)
ledger.command("rotate-key")(rotate_key)
ledger.command("balances")(balances)
ledger.command("check")(check)
ledger.command("rebuild")(rebuild)
app.add_typer(ledger, name="ledger")
app.add_typer(clock, name="clock")
app.add_typer(limits, name="limits")
app.add_typer(audit, name="audit")
app.add_typer(donors, name="donor")
app.add_typer(payouts, name="payouts")
sandbox.command("trigger", epilog=scenarios_help())(trigger)
app.add_typer(sandbox, name="sandbox")


def main() -> None:
    """Entry point of the console script."""
    app()
