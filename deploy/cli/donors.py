"""`amply donor export`: everything that is kept about one donor, as a file for them."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import aiohttp
import typer

from deploy.cli.console import DATA_DEFAULT, DataOption, console, environment, fail, setting
from deploy.client import EdgeClient, RefusedByEdgeError
from deploy.deployment import write_private

donors = typer.Typer(help="What donors may ask for.", no_args_is_help=True)


@donors.callback()
def _donors() -> None:
    """Keeps `export` a command of its own while it is the only one."""


@donors.command("export")
def export(
    organization: Annotated[str, typer.Option(help="Slug or id of the organization.")],
    donor: Annotated[
        str, typer.Option(help="The donor's profile, prof_…; `amply erase --find` tells it.")
    ],
    output: Annotated[
        Path | None, typer.Option(help="Where to write it, for its owner to read only.")
    ] = None,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Write all that is kept about a donor, with a key of the scope `donors:read`."""
    values = environment(data)
    url, key = setting(values, "AMPLY_URL"), setting(values, "AMPLY_API_KEY")
    path = f"/v1/organizations/{quote(organization)}/donors/{quote(donor)}/data"
    try:
        found = asyncio.run(_ask(url, key, path))
    except aiohttp.ClientError as error:
        fail(f"{url} does not answer: {error}")
    except RefusedByEdgeError as error:
        fail(str(error))
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    if output is None:
        console.out(text, end="", highlight=False)
        return
    write_private(output, text)
    console.print(f"{output}: {len(found['gifts'])} gifts", markup=False)


async def _ask(url: str, key: str, path: str) -> dict[str, Any]:
    async with EdgeClient(url, key) as edge:
        return await edge.ask("GET", path)
