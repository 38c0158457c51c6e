"""`amply access`: who may do what, and repairing what SpiceDB holds."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from rich.table import Table

from deploy.cli.console import DATA_DEFAULT, DataOption, console, environment, fail, setting
from deploy.cli.ledger import ledger_dsn
from deploy.embedded.state import load_secrets
from deploy.operations import store
from edge.permissions.decisions import PERMISSIONS
from edge.permissions.models import Holder
from edge.permissions.service import holders_of
from edge.reconciler.service import Outcome
from edge.reconciler.service import reconcile as repair
from edge.spicedb import CursorError, SpiceDB, UnreachableError

access = typer.Typer(help="Who may do what.", no_args_is_help=True)
JsonOption = Annotated[bool, typer.Option("--json", help="For machines.")]


@access.command("who")
def who(
    organization: Annotated[str, typer.Option(help="Slug of the organization.")],
    permission: Annotated[str, typer.Option(help="What may be done, `view_payouts` for instance.")],
    as_json: JsonOption = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Show who may do something: people, keys, collectors, and by which role or scope."""
    if permission not in PERMISSIONS:
        fail(f"there is no permission {permission}; there are {', '.join(PERMISSIONS)}", 2)
    dsn = setting(environment(data), "AMPLY_POSTGRES")

    async def ask() -> list[Holder]:
        connection = await asyncpg.connect(dsn)
        try:
            found = await store.organization_id(connection, organization)
        finally:
            await connection.close()
        if found is None:
            fail(f"there is no organization {organization}")
        return list((await holders_of(_spicedb(data), found, permission)).values())

    try:
        holders = asyncio.run(ask())
    except (OSError, asyncpg.PostgresError, UnreachableError, CursorError) as error:
        fail(f"no answer: {type(error).__name__}")
    if as_json:
        console.print_json(json.dumps([holder.model_dump() for holder in holders]))
        return
    table = Table("who", "id", "by")
    for holder in holders:
        by = ", ".join(f"{reason.kind} {reason.name}" for reason in holder.through)
        table.add_row(holder.kind, holder.id or "", by)
    console.print(table if holders else "nobody")


@access.command("reconcile")
def reconcile(as_json: JsonOption = False, data: DataOption = DATA_DEFAULT) -> None:
    """Repair what SpiceDB holds by the rows that decide; every edge does it once an hour."""

    async def run() -> Outcome:
        connection = await asyncpg.connect(ledger_dsn(data, "edge"))
        try:
            return await repair(connection, _spicedb(data))
        finally:
            await connection.close()

    try:
        outcome = asyncio.run(run())
    except (OSError, asyncpg.PostgresError, UnreachableError) as error:
        fail(f"no answer: {type(error).__name__}")
    if not outcome.is_done:
        fail("an edge is reconciling at this moment: try again")
    if as_json:
        said = {"touched": outcome.touched, "deleted": outcome.deleted}
        console.print_json(json.dumps(said))
        return
    for word, relationships in (("missing", outcome.touched), ("unknown", outcome.deleted)):
        for one in relationships:
            console.print(f"{word}: {one}", markup=False, soft_wrap=True)
    console.print(f"{len(outcome.touched)} to be given again, {len(outcome.deleted)} to be taken")


def _spicedb(data: Path) -> SpiceDB:
    """SpiceDB by its settings, else by the data directory's secrets. Call it in a running loop."""
    values = environment(data)
    token = values.get("AMPLY_SPICEDB_TOKEN")
    if token is None and (data / "secrets").exists():
        token = load_secrets(data)["spicedb_token"]
    if token is None:
        fail("AMPLY_SPICEDB_TOKEN is not known: set it", 2)
    return SpiceDB(setting(values, "AMPLY_SPICEDB"), token)
