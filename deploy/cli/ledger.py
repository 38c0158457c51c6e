"""`amply ledger balances`, `check` and `rebuild`: the ledger's own database, looked at directly."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import asyncpg
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from amply_verify.errors import UnreadableError
from deploy.cli.console import (
    DATA_DEFAULT,
    DataOption,
    console,
    environment,
    errors,
    fail,
    setting,
)
from deploy.deployment import ORIGIN, DataDirectory, role_dsn
from deploy.operations import store as operations
from ledger.check import published_log
from ledger.entry import spell_time
from ledger.projection import UnreadableEntryError
from ledger.store import balances as balances_store
from ledger.store import checking, rebuilding
from ledger.store.checking import Report
from ledger.store.pen import NoSuchLogError

T = TypeVar("T")
LOG = 0
UNREADABLE = 2


def balances(
    organization: Annotated[str, typer.Option(help="Slug of the organization.")],
    at: Annotated[str | None, typer.Option(help="As of this time, ISO 8601.")] = None,
    seq: Annotated[int | None, typer.Option(help="After this entry of the organization.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """What an organization's funds and accounts held: now, at a time, or after an entry."""
    if at is not None and seq is not None:
        fail("--at and --seq exclude one another", UNREADABLE)
    moment = None if at is None else _time(at)

    async def read(connection: Any) -> dict[str, Any]:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            identifier = await operations.organization_id(connection, organization)
            if identifier is None:
                raise balances_store.NoSuchEntryError(f"there is no organization {organization!r}")
            last = await balances_store.last_seq(connection, identifier, moment)
            wanted = last if seq is None else seq
            time, sums = await balances_store.balances_at(connection, identifier, wanted)
        return {
            "organization": organization,
            "id": identifier,
            "seq": wanted,
            "time": spell_time(time),
            "balances": [
                {**line._asdict(), "amount": str(amount)} for line, amount in sums.items()
            ],
        }

    try:
        answer = with_ledger(data, read)
    except (balances_store.NoSuchEntryError, UnreadableEntryError) as error:
        fail(str(error))
    if as_json:
        console.print_json(json.dumps(answer))
        return
    table = Table("fund", "account", "currency", "amount (minor units)")
    for row in answer["balances"]:
        table.add_row(row["fund"], row["account"], row["currency"], row["amount"])
    console.print(table)
    console.print(f"after entry {answer['seq']}, recorded {answer['time']}", markup=False)


def check(
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Recompute the whole ledger and compare it with what is stored and published.

    Exit status 0 only when all agrees, 1 on any difference, 2 when something cannot be read.
    """
    values = environment(data)
    location = f"{values.get('AMPLY_PUBLIC') or data / 'public'}/log/{LOG}"
    origin = values.get("AMPLY_LOG_ORIGIN") or ORIGIN
    columns = (TextColumn("Checking"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as progress:
        task = progress.add_task("check")

        async def run(connection: Any) -> Report:
            read = await asyncio.to_thread(published_log, location)
            return await checking.check(
                *(connection, LOG, origin, read),
                lambda done, size: progress.update(task, completed=done, total=size),
            )

        try:
            report = with_ledger(data, run)
        except (UnreadableError, NoSuchLogError) as error:
            fail(str(error), UNREADABLE)
    if as_json:
        console.print_json(json.dumps(_spell(report)))
    else:
        _show(report)
    if not report.agrees:
        raise typer.Exit(1)


def _spell(report: Report) -> dict[str, Any]:
    return {
        "log": report.log,
        "agrees": report.agrees,
        "entries": report.entries,
        "organizations": report.organizations,
        "published_size": report.published_size,
        "seconds": round(report.seconds, 3),
        "differences": report.findings.total,
        "counts": dict(report.findings.counts),
        "findings": [asdict(one) for one in report.findings.kept],
    }


def _show(report: Report) -> None:
    for one in report.findings.kept:
        console.print(f"{one.code}: {one.message}", markup=False, soft_wrap=True)
    untold = report.findings.total - len(report.findings.kept)
    if untold:
        console.print(f"and {untold} more of the same kinds", markup=False)
    published = report.published_size
    summary = (
        f"{report.entries} entries of {report.organizations} organizations recomputed, "
        f"{'nothing' if published is None else f'the first {published}'} published"
    )
    verdict = "all agrees" if report.agrees else f"{report.findings.total} differences"
    console.print(f"{summary}: {verdict}", markup=False, soft_wrap=True)


def rebuild(
    apply: Annotated[bool, typer.Option("--apply", help="Replace what differs.")] = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Make chains, funds, balances and sums again from entries and openings; show what differs.

    Nothing changes without --apply. Exit status 0 when nothing differs any more, 1 when rows differ
    and were not replaced, 2 when the entries cannot be read.
    """
    try:
        found = with_ledger(
            *(data, lambda connection: rebuilding.rebuild(connection, LOG, apply=apply)),
            "bookkeeping",
        )
    except (UnreadableEntryError, NoSuchLogError) as error:
        fail(f"nothing was changed: {error}; see `amply ledger check`", UNREADABLE)
    for one in found.shown:
        told = f"{one.table} {one.key}: {one.stored or 'nothing'} -> {one.made or 'nothing'}"
        console.print(told, markup=False, soft_wrap=True)
    rows = f"{found.differences} rows differ from what {found.entries} entries give"
    if not found.differences:
        console.print(f"{found.entries} entries read: nothing differs", markup=False)
    elif apply:
        console.print(f"{rows}: replaced, and the writer starts anew", markup=False)
    else:
        fail(f"{rows}; replace them with --apply")


def with_ledger(data: Path, work: Callable[[Any], Awaitable[T]], role: str = "books") -> T:
    """Do something on a connection of the role that reads the whole ledger."""
    dsn = ledger_dsn(data, role)

    async def run() -> T:
        connection = await asyncpg.connect(dsn)
        try:
            return await work(connection)
        finally:
            await connection.close()

    try:
        return asyncio.run(run())
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        fail(f"PostgreSQL does not answer: {type(error).__name__}", UNREADABLE)


def ledger_dsn(data: Path, role: str) -> str:
    """The address for a role of the ledger: AMPLY_POSTGRES_<ROLE>, else by the data directory."""
    values = environment(data)
    given = values.get(f"AMPLY_POSTGRES_{role.upper()}")
    if given:
        return given
    keys = DataDirectory(data.absolute()).keys
    if not (keys / "postgres-roles.key").exists():
        fail(f"set AMPLY_POSTGRES_{role.upper()}: {keys} holds no key of the database roles", 2)
    secret = DataDirectory(data.absolute()).key("postgres-roles.key")
    return role_dsn(setting(values, "AMPLY_POSTGRES"), secret, role)


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is not a time such as 2026-05-01T00:00:00Z", UNREADABLE)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
