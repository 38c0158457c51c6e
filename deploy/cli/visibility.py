"""`amply ledger visibility`, `amply clock`: show more of an entry, try a day that is far off."""

import asyncio
import time
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import asyncpg
import typer

from contracts import environments
from contracts.identifiers import type_id
from deploy.cli.console import DATA_DEFAULT, DataOption, console, environment, fail, setting
from deploy.operations import store
from edge.database.store import set_scope
from edge.ledger.changes import visibility_change
from edge.times import spell_time
from ledger.visibility import VISIBILITIES, Label, is_wider, label_of
from topics import outbox
from topics.registry import ENTRIES_REQUESTED

RECORDED_S_MAX: Final = 15.0
_POLL_S: Final = 0.1

clock = typer.Typer(
    help="The business clock of a sandbox: what opens delayed entries.", no_args_is_help=True
)


def visibility(
    organization: Annotated[str, typer.Option(help="Slug of the organization.")],
    entry: Annotated[str, typer.Option(help="The entry's id, `ent_…`.")],
    to: Annotated[str, typer.Option(help=f"One of {', '.join(VISIBILITIES)}.")],
    public_after: Annotated[
        str | None, typer.Option(help="With delayed_public: ISO 8601 time with offset.")
    ] = None,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Show more of an entry, for good: what was shown cannot be hidden again."""
    label = _label(to, public_after)
    dsn = setting(environment(data), "AMPLY_POSTGRES")
    try:
        asyncio.run(_change(dsn, organization, entry, label))
    except (OSError, asyncpg.PostgresError) as error:
        fail(f"PostgreSQL does not answer: {type(error).__name__}")


def _label(to: str, public_after: str | None) -> Label:
    if to not in VISIBILITIES:
        fail(f"--to is one of {', '.join(VISIBILITIES)}", 2)
    if (to == "delayed_public") != (public_after is not None):
        fail("--public-after belongs to delayed_public, which needs it", 2)
    if public_after is None:
        return Label(to, None)
    try:
        moment = datetime.fromisoformat(public_after)
        if moment.tzinfo is None:
            raise ValueError(public_after)
    except ValueError:
        fail(f"{public_after!r} is not a time such as 2028-05-01T00:00:00Z", 2)
    return Label(to, spell_time(moment))


async def _change(dsn: str, slug: str, entry: str, label: Label) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        organization = await store.organization_id(connection, slug)
        if organization is None:
            fail(f"there is no organization {slug}")
        async with connection.transaction():
            await set_scope(connection, [organization])
            found = await store.entry_label(connection, organization, entry)
            if found is None:
                fail(f"{slug} has no entry {entry}")
            data, changed = found
            current = changed or label_of(data)
            if not is_wider(label, current):
                fail(f"nothing to do: the entry is {_spell(current)}, which shows as much already")
            message = visibility_change(organization, entry, label)
            record = outbox.prepare("operations", ENTRIES_REQUESTED, message)
            await outbox.queue(connection, [record])
        change = type_id("ent", message.id)
        if not await _recorded(connection, organization, change):
            fail(f"{change} is asked for but not recorded yet; see `amply dead-letters list`")
    finally:
        await connection.close()
    console.print(f"{entry} is {_spell(label)}, recorded as {change}", markup=False)


async def _recorded(connection: Any, organization: str, change: str) -> bool:
    deadline = time.monotonic() + RECORDED_S_MAX
    while await store.entry_label(connection, organization, change) is None:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_S)
    return True


def _spell(label: Label) -> str:
    return label.visibility + (f" from {label.public_after} on" if label.public_after else "")


@clock.command("advance")
def advance(
    days: Annotated[int, typer.Option(min=0, help="Days forward.")] = 0,
    seconds: Annotated[int, typer.Option(min=0, help="Seconds forward, added to the days.")] = 0,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Move the sandbox's business clock forward; it never goes back, and entries keep real time."""
    values = environment(data)
    if not moves_clock(values):
        fail("the business clock is moved in a sandbox only", 2)
    advance_business_clock(values, timedelta(days=days, seconds=seconds))


def moves_clock(values: dict[str, str]) -> bool:
    """Whether the deployment is one whose business clock may be moved."""
    try:
        return environments.RULES[environments.mode_of(values)].moves_clock
    except ValueError as error:
        fail(str(error), 2)


def advance_business_clock(values: dict[str, str], by: timedelta) -> None:
    """Move a platform's business clock forward and say what it shows; ends the command if not."""
    try:
        now = asyncio.run(_advance(setting(values, "AMPLY_POSTGRES"), by))
    except (OSError, asyncpg.PostgresError) as error:
        fail(f"PostgreSQL does not answer: {type(error).__name__}")
    console.print(f"The business clock says {now}", markup=False)


async def _advance(dsn: str, by: timedelta) -> str:
    connection = await asyncpg.connect(dsn)
    try:
        return spell_time(await store.advance_clock(connection, by))
    finally:
        await connection.close()
