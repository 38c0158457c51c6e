"""`amply payouts`: deposits, what adds up to each, and who pays an organization out when."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import aiohttp
import typer
from rich.table import Table

from contracts.money import exponent_of, spell_decimal
from deploy.cli.console import DATA_DEFAULT, DataOption, console, environment, fail, setting
from deploy.client import EdgeClient, RefusedByEdgeError

payouts = typer.Typer(help="Payouts to organizations' banks.", no_args_is_help=True)

OrganizationOption = Annotated[
    str | None, typer.Option("--organization", help="Slug; AMPLY_ORGANIZATION if left out.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="For machines.")]


@payouts.command("list")
def list_payouts(
    organization: OrganizationOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Rows at most.")] = 50,
    as_json: JsonOption = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Payouts, newest first; those that wait for movements say since when."""
    page = _ask(
        data, organization, lambda edge, path: edge.ask("GET", f"{path}/payouts?limit={limit}")
    )
    if as_json:
        console.print_json(json.dumps(page))
        return
    table = Table("payout", "created", "arrives", "status", "attributed by", "waits since")
    table.add_column("amount", justify="right")
    for one in page["data"]:
        waiting = one["waiting"]
        table.add_row(
            one["id"],
            one["created_at"][:10],
            one["arrival_date"][:10],
            one["status"],
            one["attribution"] or "",
            f"{waiting['since'][:19]} ({waiting['lines']} lines)" if waiting else "",
            _money(one["amount_minor"], one["currency"]),
        )
    console.print(table if page["data"] else "nothing was paid out")


@payouts.command("show")
def show(
    payout: Annotated[str, typer.Argument(help="The id that `list` shows, `po_…`.")],
    organization: OrganizationOption = None,
    as_json: JsonOption = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """The gifts, fees, refunds and disputes that add up to one deposit."""
    one = _ask(data, organization, lambda edge, path: edge.ask("GET", f"{path}/payouts/{payout}"))
    if as_json:
        console.print_json(json.dumps(one))
        return
    currency = one["currency"]
    table = Table("category", "fund")
    for name in ("items", "gross", "fee", "net"):
        table.add_column(name, justify="right")
    for total in one["totals"]:
        figures = [total[f"{name}_minor"] for name in ("gross", "fee", "net")]
        table.add_row(
            total["category"],
            total["fund"] or "(no fund's)",
            str(total["items"]),
            *(_money(figure, currency) for figure in figures),
        )
    console.print(table)
    amount = _money(one["amount_minor"], currency)
    console.print(f"{one['id']} is {one['status']}: {amount} to the bank", markup=False)
    if one["attribution"] == "rule":
        console.print("Which money it is follows our rule, oldest first: Stripe does not say.")
    if one["waiting"]:
        console.print(f"It waits for {one['waiting']['lines']} movements that are not booked yet.")


@payouts.command("settings")
def settings(
    organization: OrganizationOption = None,
    paid_by: Annotated[str | None, typer.Option(help="stripe or amply.")] = None,
    interval: Annotated[str | None, typer.Option(help="daily, weekly, monthly or manual.")] = None,
    weekday: Annotated[int | None, typer.Option(help="With weekly: 1 is Monday.")] = None,
    month_day: Annotated[int | None, typer.Option(help="With monthly: 31 is the last.")] = None,
    minimum_minor: Annotated[int | None, typer.Option(help="In minor units.")] = None,
    under_review: Annotated[
        bool | None, typer.Option("--under-review/--reviewed", help="Hold payouts, or no more.")
    ] = None,
    as_json: JsonOption = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Show who pays the organization out, when, and why not at the moment; or change it."""
    given = {
        "paid_by": paid_by,
        "interval": interval,
        "weekday": weekday,
        "month_day": month_day,
        "minimum_minor": minimum_minor,
        "under_review": under_review,
    }
    change = {name: value for name, value in given.items() if value is not None}

    async def ask(edge: EdgeClient, path: str) -> dict[str, Any]:
        where = f"{path}/payout-settings"
        return await (edge.ask("PATCH", where, change) if change else edge.ask("GET", where))

    shown = _ask(data, organization, ask)
    if as_json:
        console.print_json(json.dumps(shown))
        return
    for name in given:
        console.print(f"{name}: {shown[name]}", markup=False)
    for one in shown["standing"]:
        console.print(
            f"{one['account']} {one['currency']}: {one['state']} since {one['since'][:19]}",
            markup=False,
        )


def _money(amount_minor: int, currency: str) -> str:
    return f"{spell_decimal(amount_minor, exponent_of(currency))} {currency}"


def _ask(
    data: Any, organization: str | None, ask: Callable[[EdgeClient, str], Awaitable[dict[str, Any]]]
) -> dict[str, Any]:
    values = environment(data)
    url, key = setting(values, "AMPLY_URL"), setting(values, "AMPLY_API_KEY")
    slug = organization or setting(values, "AMPLY_ORGANIZATION")

    async def run() -> dict[str, Any]:
        async with EdgeClient(url, key) as edge:
            return await ask(edge, f"/v1/organizations/{slug}")

    try:
        return asyncio.run(run())
    except (aiohttp.ClientError, TimeoutError) as error:
        fail(f"{url} does not answer: {type(error).__name__}")
    except RefusedByEdgeError as error:
        fail(str(error))
