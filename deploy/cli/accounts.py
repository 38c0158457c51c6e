"""`amply accounts`: an organization's account at Stripe, through the edge."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import typer

from deploy import connecting
from deploy.cli.console import DATA_DEFAULT, DataOption, console, environment, fail, setting
from deploy.client import EdgeClient, RefusedByEdgeError

accounts = typer.Typer(help="Organizations' accounts at Stripe.", no_args_is_help=True)

Slug = Annotated[
    str | None, typer.Argument(help="Slug of the organization; AMPLY_ORGANIZATION if left out.")
]


@accounts.command("connect")
def connect(
    country: Annotated[str, typer.Option(help="Where the organization is, ISO 3166-1 alpha-2.")],
    slug: Slug = None,
    replace: Annotated[bool, typer.Option(help="Move to a new account.")] = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Make an account and a link to set it up."""

    async def work(edge: EdgeClient, name: str) -> None:
        account = await connecting.make_account(edge, name, country.upper(), replace=replace)
        console.print(f"account {account}", markup=False)
        _print_link(await connecting.make_link(edge, name))

    _run(work, slug, data)


@accounts.command("link")
def link(
    slug: Slug = None,
    update: Annotated[bool, typer.Option(help="Also to what Stripe will need later.")] = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """A fresh link to Stripe's form, for one visit by the organization."""

    async def work(edge: EdgeClient, name: str) -> None:
        _print_link(await connecting.make_link(edge, name, "update" if update else "onboarding"))

    _run(work, slug, data)


@accounts.command("show")
def show(slug: Slug = None, data: DataOption = DATA_DEFAULT) -> None:
    """The state of the account, and what Stripe still needs."""

    async def work(edge: EdgeClient, name: str) -> None:
        shown = await connecting.show_account(edge, name)
        console.print(f"{shown['state']}: {shown['summary']}", markup=False)
        for role in ("account", "next_account"):
            if shown[role] is not None:
                _print_account(role.replace("_", " "), shown[role])

    _run(work, slug, data)


def _run(work: Callable[[EdgeClient, str], Awaitable[None]], slug: str | None, data: Path) -> None:
    values = environment(data)
    url, key = setting(values, "AMPLY_URL"), setting(values, "AMPLY_API_KEY")
    name = slug or setting(values, "AMPLY_ORGANIZATION")

    async def run() -> None:
        async with EdgeClient(url, key) as edge:
            await work(edge, name)

    try:
        asyncio.run(run())
    except aiohttp.ClientError as error:
        fail(f"{url} does not answer: {error}")
    except (RefusedByEdgeError, connecting.NotAnsweredError) as error:
        fail(str(error))


def _print_link(made: dict[str, Any]) -> None:
    console.print(f"link {made['url']}", markup=False, soft_wrap=True)
    console.print(f"good for one visit until {made['expires_at']}", markup=False)


def _print_account(role: str, account: dict[str, Any]) -> None:
    console.print(f"{role} {account['id']}: {account['state']}", markup=False)
    for one in account["due"]:
        console.print(f"  due: {one['description']} ({one['name']})", markup=False)
    for one in account["in_review"]:
        console.print(f"  in review: {one['description']} ({one['name']})", markup=False)
    if account["due_by"]:
        console.print(f"  by {account['due_by']}", markup=False)
