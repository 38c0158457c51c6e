"""`amply sandbox trigger`: a whole story at Stripe, and the ledger that must follow from it."""

import asyncio
import json
from typing import Annotated

import aiohttp
import asyncpg
import typer

from deploy.cli.console import console, environment, fail
from deploy.cli.sandbox import PLATFORM_DATA, PlaceOption, UrlOption, place
from deploy.client import EdgeClient
from deploy.operations import store
from deploy.sandbox.scenarios.giving import PlatformGiver
from deploy.sandbox.scenarios.playing import Told, open_account, play
from deploy.sandbox.scenarios.reaching import RefusedError, Stripe, open_client
from deploy.sandbox.scenarios.story import DirectGiver
from deploy.sandbox.scenarios.table import SCENARIOS
from edge.database.store import set_scope


def scenarios_help() -> str:
    """What `--help` says below the options."""
    lines = [f"  {name}: {scenario.about}" for name, scenario in SCENARIOS.items()]
    return "\b\nThe scenarios:\n" + "\n".join(lines)


def trigger(
    scenario: Annotated[str, typer.Argument(help="One of the names below.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same story.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    organization: Annotated[
        str | None, typer.Option(help="Slug, when a platform runs; else its own.")
    ] = None,
    data: PlaceOption = None,
    url: UrlOption = None,
) -> None:
    """Play a story in a running sandbox, and print the ledger that must follow from it.

    With the platform's sandbox, gifts go through the platform; alone, a new account gets them.
    """
    if scenario not in SCENARIOS:
        fail(f"{scenario!r} is none of {', '.join(SCENARIOS)}", 2)
    found = place(data, url)
    values = {} if url is not None else environment(data or PLATFORM_DATA)
    try:
        told = asyncio.run(_play(found, values, organization, scenario, seed))
    except RefusedError as error:
        fail(str(error))
    except (aiohttp.ClientError, OSError, asyncpg.PostgresError, TimeoutError) as error:
        fail(f"the sandbox or the platform does not answer: {type(error).__name__}")
    if as_json:
        console.print_json(json.dumps(told.shown()))
        return
    for line in told.lines():
        console.print(line, markup=False, soft_wrap=True)


async def _play(
    found: dict[str, str], values: dict[str, str], slug: str | None, scenario: str, seed: int
) -> Told:
    async with open_client(found["url"], found["key"]) as stripe:
        if values.get("AMPLY_STRIPE", "").rstrip("/") != found["url"]:
            account = await open_account(stripe)
            return await play(stripe, DirectGiver(stripe), account, scenario, seed)
        return await _play_with_platform(stripe, values, slug, scenario, seed)


async def _play_with_platform(
    stripe: Stripe, values: dict[str, str], slug: str | None, scenario: str, seed: int
) -> Told:
    organization = slug or values["AMPLY_ORGANIZATION"]
    account = await _account(values["AMPLY_POSTGRES"], organization)
    if account is None:
        fail(f"there is no organization {organization} with an account")
    async with EdgeClient(values["AMPLY_URL"], values["AMPLY_API_KEY"]) as edge:
        giver = PlatformGiver(stripe, edge, organization)
        return await play(stripe, giver, account, scenario, seed)


async def _account(dsn: str, slug: str) -> str | None:
    connection = await asyncpg.connect(dsn)
    try:
        found = await store.organization_id(connection, slug)
        if found is None:
            return None
        async with connection.transaction():
            await set_scope(connection, [found])
            return await store.current_account(connection, found)
    finally:
        await connection.close()
