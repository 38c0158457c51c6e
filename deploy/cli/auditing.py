"""`amply audit`: verify who did what, as it is stored or as a file, and write that file."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import asyncpg
import typer

from deploy import auditing
from deploy.cli.console import DATA_DEFAULT, DataOption, console, environment, fail, setting
from deploy.deployment import DataDirectory
from ledger import keys
from ledger.audit import PURPOSE, AuditError, Head, head_of
from ledger.audit_export import Verified
from workers.settings import SettingError, secret_file

audit = typer.Typer(
    help="The audit log: who did what, was refused, read of whom.", no_args_is_help=True
)
_Organization = Annotated[str | None, typer.Option(help="Slug of the organization, or `platform`.")]
_Json = Annotated[bool, typer.Option("--json", help="For machines.")]


@audit.command("check")
def check(
    organization: _Organization = None,
    file: Annotated[Path | None, typer.Option(help="A copy to verify, in its place.")] = None,
    head: Annotated[
        str | None, typer.Option(help="A head told before, SEQ:HASH, which must be in it.")
    ] = None,
    as_json: _Json = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Verify that no record was changed, removed or inserted. Exit status 1 when one was."""
    if (organization is None) == (file is None):
        fail("name --organization or --file", 2)
    known = _head(head)
    if file is not None:
        _show(_run(lambda: auditing.check_file(file, known)), as_json)
        return
    values = environment(data)
    dsn, key = setting(values, "AMPLY_POSTGRES"), _key(values, data)
    name = organization or ""
    _show(_run(lambda: asyncio.run(auditing.check(dsn, name, key, known))), as_json)


@audit.command("export")
def export(
    organization: Annotated[str, typer.Option(help="Slug of the organization, or `platform`.")],
    output: Annotated[Path, typer.Option(help="Where to write it, as JSONL.")],
    as_json: _Json = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Write an organization's audit log to a file that anybody can verify."""
    values = environment(data)
    dsn, key = setting(values, "AMPLY_POSTGRES"), _key(values, data)
    _show(_run(lambda: asyncio.run(auditing.export(dsn, organization, key, output))), as_json)


def _run(work: Callable[[], Verified]) -> Verified:
    try:
        return work()
    except AuditError as error:
        fail(f"record {error.seq} {error}")
    except (auditing.NoSuchLogError, OSError, asyncpg.PostgresError) as error:
        fail(str(error) or type(error).__name__, 2)


def _show(told: Verified, as_json: bool) -> None:
    digest = told.head.hash.hex() if told.head.hash is not None else None
    if as_json:
        fields = {"organization": told.organization, "records": told.records}
        console.print_json(json.dumps({**fields, "seq": told.head.seq, "hash": digest}))
        return
    console.print(
        f"{told.organization}: {told.records} records hold, {told.opened} with a client;"
        f" head {told.head.seq}:{digest}",
        markup=False,
        soft_wrap=True,
    )


def _head(text: str | None) -> Head | None:
    try:
        return None if text is None else head_of(text)
    except ValueError as error:
        fail(str(error), 2)


def _key(values: dict[str, str], data: Path) -> bytes:
    folder = DataDirectory(data.absolute())
    given = {"AMPLY_MASTER_KEY": str(folder.keys / "master.key"), **values}
    try:
        return keys.derive(
            secret_file(given, "AMPLY_MASTER_KEY", "the file of the master key"), PURPOSE
        )
    except SettingError as error:
        fail(f"{error}; clients in the log are sealed under it", 2)
