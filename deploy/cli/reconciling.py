"""`amply reconcile`: what Stripe says and what the ledger says, for every organization."""

import asyncio
import json
from typing import Annotated, Any

import asyncpg
import typer
from rich.table import Table

from contracts.money import exponent_of, spell, spell_decimal
from deploy.cli.console import (
    DATA_DEFAULT,
    DataOption,
    console,
    environment,
    errors,
    fail,
    setting,
)
from deploy.operations import store as operations
from deploy.reconciling import NotRunError, Report, read_report, request_run

NOT_RUN = 2
WAIT_S_DEFAULT = 600.0
SHOWN_MAX = 50


def reconcile(
    organization: Annotated[
        str | None, typer.Option(help="Slug of one organization; all if left out.")
    ] = None,
    last: Annotated[bool, typer.Option("--last", help="Show the newest runs, make none.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the run.")] = WAIT_S_DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Compare every movement and balance at Stripe with the ledger, to the cent.

    Exit status 0 only when Stripe and the ledger agree, 1 when they differ or an account refuses
    access, 2 when something could not be compared.
    """
    dsn = setting(environment(data), "AMPLY_POSTGRES")
    try:
        report = asyncio.run(_run(dsn, organization, None if last else wait))
        if last and not report.accounts:
            raise NotRunError("nothing was compared yet")
    except NotRunError as error:
        fail(str(error), NOT_RUN)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        fail(f"PostgreSQL does not answer: {type(error).__name__}", NOT_RUN)
    if as_json:
        console.print_json(json.dumps(values_of(report), default=str))
    else:
        _show(report)
    if report.failed:
        fail(f"not compared: {', '.join(report.failed)}; see logs/reconciliation.log", NOT_RUN)
    if not report.agrees:
        raise typer.Exit(1)


async def _run(dsn: str, slug: str | None, wait_s: float | None) -> Report:
    connection = await asyncpg.connect(dsn)
    try:
        organization = None
        if slug is not None:
            organization = await operations.organization_id(connection, slug)
            if organization is None:
                raise NotRunError(f"there is no organization {slug!r}")
        if wait_s is not None:
            await request_run(connection, organization, wait_s)
        return await read_report(connection, organization)
    finally:
        await connection.close()


def values_of(report: Report) -> dict[str, Any]:
    """The report for machines: minor units, times in ISO 8601."""
    return {
        "agrees": report.agrees,
        "accounts": [{**one, "sums": json.loads(one["sums"])} for one in report.accounts],
        "differences": report.differences,
    }


def _show(report: Report) -> None:
    columns = ("Stripe says", "we say", "in transit", "of others", "difference")
    table = Table("organization", "account", "currency")
    for name in columns:
        table.add_column(name, justify="right")
    table.add_column("")
    for account in report.accounts:
        names = account["slug"], account["account"]
        sums = json.loads(account["sums"])
        for one in sums:
            figures = (
                spell_decimal(one[f"{name}_minor"], exponent_of(one["currency"]))
                for name in ("balance", "ledger", "in_transit", "foreign", "different")
            )
            table.add_row(*names, one["currency"], *figures, account["outcome"])
        if not sums:
            table.add_row(*names, *("" for _ in range(6)), account["outcome"])
    console.print(table if report.accounts else "no account was compared")
    faults = [one for one in report.differences if one["is_fault"]]
    for one in faults[:SHOWN_MAX]:
        console.print(describe(one), markup=False, soft_wrap=True)
    if len(faults) > SHOWN_MAX:
        errors.print(f"and {len(faults) - SHOWN_MAX} more: --json shows all", markup=False)


def describe(one: dict[str, Any]) -> str:
    """A difference in one line, both sides shown."""
    currency = one["currency"]
    sides = (
        f"{name} {'nothing' if net is None else spell(net, currency)}"
        for name, net in (("Stripe", one["stripe_net_minor"]), ("we", one["ledger_net_minor"]))
        if currency is not None
    )
    about = " ".join(
        filter(None, (one["slug"], one["account"], one["category"], one["source"], one["subject"]))
    )
    told = ", ".join(sides)
    return f"{one['class']} ({one['reason']}): {about}{': ' if told else ''}{told}"
