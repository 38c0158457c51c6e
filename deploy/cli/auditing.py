"""`amply audit`: verify who did what, as it is stored or as a file, and write that file."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import asyncpg
import typer

from amply_verify.errors import NoteError
from deploy import auditing
from deploy.auditing import Checked
from deploy.cli.console import DATA_DEFAULT, DataOption, console, environment, fail, setting
from deploy.deployment import DataDirectory
from ledger import keys
from ledger.audit import PURPOSE, AuditError, Head, head_of
from ledger.audit_anchor import Anchor, AnchorError
from workers.settings import SettingError, secret_file

T = TypeVar("T")

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
    every: Annotated[bool, typer.Option("--all", help="Every log there is, or was.")] = False,
    anchors: Annotated[
        Path | None, typer.Option(help="The file of signed heads, if not the deployment's own.")
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="The log's verifier key, if not the published one.")
    ] = None,
    as_json: _Json = False,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Verify that no record was changed, removed, cut off or inserted. Exit status 1 if one was.

    Heads that the log's key signed, and which no database holds, must be in what is stored.
    """
    if [organization is not None, file is not None, every].count(True) != 1:
        fail("name one of --organization, --file and --all", 2)
    known = _head(head)
    if file is not None:
        _show(_run(lambda: Checked(auditing.check_file(file, known), None)), as_json, is_copy=True)
        return
    values = environment(data)
    dsn, seal = setting(values, "AMPLY_POSTGRES"), _key(values, data)
    signed = _anchors(values, data, anchors, key or [])
    if organization is not None:
        work = auditing.check(dsn, organization, seal, known, signed)
        _show(_run(lambda: asyncio.run(work)), as_json)
        return
    failed = False
    for one in _run(lambda: asyncio.run(auditing.check_all(dsn, seal, signed))):
        if isinstance(one, Checked):
            _show(one, as_json)
        else:
            failed = True
            console.print(f"{one[0]}: record {one[1].seq} {one[1]}", markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)


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
    written = _run(lambda: asyncio.run(auditing.export(dsn, organization, key, output)))
    _show(Checked(written, None), as_json, is_copy=True)


def _anchors(
    values: dict[str, str], data: Path, path: Path | None, keys: list[str]
) -> dict[str, Anchor]:
    folder = DataDirectory(data.absolute())
    path = path or Path(values.get("AMPLY_AUDIT_ANCHORS") or folder.audit_anchors)
    published = Path(values.get("AMPLY_PUBLIC") or folder.public, "log", "0", "vkey")
    try:
        if not keys and published.exists():
            keys = published.read_text().split()
        return auditing.read_anchors(path, keys)
    except (AnchorError, NoteError, OSError) as error:
        fail(str(error))


def _run(work: Callable[[], T]) -> T:
    try:
        return work()
    except AuditError as error:
        fail(f"record {error.seq} {error}")
    except (auditing.NoSuchLogError, OSError, asyncpg.PostgresError) as error:
        fail(str(error) or type(error).__name__, 2)


def _show(checked: Checked, as_json: bool, *, is_copy: bool = False) -> None:
    told, anchor = checked.verified, checked.anchor
    digest = told.head.hash.hex() if told.head.hash is not None else None
    if as_json:
        fields: dict[str, Any] = {"organization": told.organization, "records": told.records}
        anchored = None if anchor is None else {"seq": anchor.head.seq, "time": anchor.moment}
        fields |= {"seq": told.head.seq, "hash": digest, "anchored": anchored}
        console.print_json(json.dumps(fields))
        return
    console.print(
        f"{told.organization}: {told.records} records hold, {told.opened} with a client;"
        f" head {told.head.seq}:{digest}" + ("" if is_copy else f", {_spell(anchor)}"),
        markup=False,
        soft_wrap=True,
    )


def _spell(anchor: Anchor | None) -> str:
    if anchor is None:
        return "no head signed"
    return f"signed up to {anchor.head.seq} at {anchor.moment}"


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
