"""`amply erase`: forget a person, apply the journal of erasures again, have the log state them."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import asyncpg
import typer

from deploy import erasure
from deploy.cli.console import DATA_DEFAULT, DataOption, console, environment, fail, setting
from deploy.deployment import DataDirectory
from deploy.operations.store import organization_id
from ledger.store.erasure import want_run
from workers.retention.journal import Journal, JournalError
from workers.settings import SettingError, secret_file

T = TypeVar("T")


def erase(
    organization: Annotated[str | None, typer.Option(help="Slug of the organization.")] = None,
    donor: Annotated[str | None, typer.Option(help="The donor's profile, prof_…")] = None,
    email: Annotated[str | None, typer.Option(help="Or the donor's mail address.")] = None,
    donation: Annotated[str | None, typer.Option(help="Or a donation of theirs, don_…")] = None,
    basis: Annotated[str, typer.Option(help="Why, as a code.")] = erasure.BASIS_DEFAULT,
    find: Annotated[bool, typer.Option("--find", help="Only print the profile's id.")] = False,
    replay_journal: Annotated[
        bool, typer.Option("--replay-journal", help="Forget again all whom the journal names.")
    ] = False,
    record_now: Annotated[
        bool, typer.Option("--record-now", help="State pending erasures in the log now.")
    ] = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Forget a donor of an organization, everywhere. It cannot be undone."""
    given = [one for one in (donor, email, donation) if one is not None]
    if (organization is None) != (not given) or len(given) > 1:
        fail("name --organization and one of --donor, --email, --donation", 2)
    if not (organization or replay_journal or record_now):
        fail("say whom: --organization with --donor, --email or --donation", 2)
    values = environment(data)
    folder = DataDirectory(data.absolute())
    journal = Journal(Path(values.get("AMPLY_ERASURE_JOURNAL") or folder.erasure_journal))
    dsn = setting(values, "AMPLY_POSTGRES")
    if replay_journal:
        count = _with_database(dsn, lambda it: erasure.apply_journal(it, journal))
        console.print(f"{count} forgotten again")
    if organization is not None:
        key = _master_key(values, folder) if email is not None else b""

        async def forget(connection: Any) -> None:
            known = await organization_id(connection, organization)
            if known is None:
                fail(f"there is no organization {organization}")
            profile = donor
            if email is not None:
                profile = await erasure.find_by_email(connection, known, email, key)
            elif donation is not None:
                profile = await erasure.find_by_donation(connection, known, donation)
            if profile is None:
                fail(f"{organization} knows no such donor, or has forgotten them already")
            if find:
                console.print(profile, markup=False)
            else:
                _show(await erasure.erase(connection, journal, known, profile, basis=basis))

        _with_database(dsn, forget)
    if record_now:
        _with_database(dsn, want_run)
        console.print("the log will state pending erasures within seconds")


def _show(erased: erasure.Erased) -> None:
    if erased.earlier is not None:
        since = erased.earlier.isoformat(timespec="seconds")
        console.print(f"{erased.profile} was forgotten on {since}", markup=False)
        return
    console.print(
        f"forgotten {erased.profile}: {erased.gifts} gifts, {erased.entries} entries;"
        " the log states it with the next daily run",
        markup=False,
    )


def _master_key(values: dict[str, str], folder: DataDirectory) -> bytes:
    given = {"AMPLY_MASTER_KEY": str(folder.keys / "master.key"), **values}
    try:
        return secret_file(given, "AMPLY_MASTER_KEY", "the file of the master key")
    except SettingError as error:
        fail(f"{error}; the mail address is looked up by a keyed hash", 2)


def _with_database(dsn: str, work: Callable[[Any], Awaitable[T]]) -> T:
    async def run() -> T:
        connection = await asyncpg.connect(dsn)
        try:
            return await work(connection)
        finally:
            await connection.close()

    try:
        return asyncio.run(run())
    except (erasure.ErasureError, JournalError) as error:
        fail(str(error))
    except (OSError, asyncpg.PostgresError) as error:
        fail(f"PostgreSQL failed: {type(error).__name__}; run it again, which ends what was begun")
