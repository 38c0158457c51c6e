"""`amply ledger export`: a ledger as a file, for verifiers, spreadsheets and bookkeepers."""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import typer
from rich.progress import DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from deploy import exporting
from deploy.cli.console import DATA_DEFAULT, DataOption, console, environment, fail, setting
from deploy.client import RefusedByEdgeError
from ledger.export_copy import KINDS


class Format(StrEnum):
    """What the file is for."""

    JSONL = "jsonl"
    CSV = "csv"
    BEANCOUNT = "beancount"
    HLEDGER = "hledger"


def export(
    organization: Annotated[str, typer.Option(help="Slug of the organization.")],
    format_name: Annotated[
        Format, typer.Option("--format", help="jsonl is what `amply-verify export` checks.")
    ] = Format.JSONL,
    openings: Annotated[
        bool, typer.Option("--openings", help="With sealed money and details, by AMPLY_API_KEY.")
    ] = False,
    since: Annotated[
        int | None, typer.Option(min=1, help="jsonl: prove the tree of this older size, too.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="csv: rows of entries of this kind alone, like refund.")
    ] = None,
    bom: Annotated[
        bool,
        typer.Option("--bom", help="csv: begin with a byte-order mark."),
    ] = False,
    output: Annotated[
        Path | None, typer.Option(help="Where to write; default SLUG and the format's ending.")
    ] = None,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Write the organization's ledger to a file, and what it is to FILE.manifest.json."""
    values = environment(data)
    url = setting(values, "AMPLY_URL")
    key = setting(values, "AMPLY_API_KEY") if openings else None
    wanted = exporting.Wanted(
        organization=organization,
        format=format_name.value,
        since=since,
        bom=bom,
        kind=kind,
        with_openings=openings,
    )
    path = output or Path(f"{organization}.{KINDS[format_name.value].extension}")
    try:
        manifest = asyncio.run(_export(url, key, wanted, path))
    except (RefusedByEdgeError, exporting.ExportChangedError) as error:
        fail(str(error))
    except (aiohttp.ClientError, TimeoutError) as error:
        fail(f"{url} does not answer: {error}. Run the command again to continue.")
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}", 2)
    _show(path, manifest)


async def _export(
    url: str, key: str | None, wanted: exporting.Wanted, path: Path
) -> dict[str, Any]:
    columns = (TextColumn("{task.description}"), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("fetching", total=None)

        def show(entries: int, size: int) -> None:
            progress.update(task, description=f"{entries} entries", completed=size)

        return await exporting.fetch(url, key, wanted, path, show)


def _show(path: Path, manifest: dict[str, Any]) -> None:
    console.print(
        f"{path}: {manifest['entries']} entries as of size {manifest['size']},"
        f" {manifest['records']} records,"
        f" {manifest['bytes']} bytes, sha256 {manifest['sha256']}",
        markup=False,
        soft_wrap=True,
    )
    figures = manifest["figures"]
    if figures is not None and figures["sealed"]:
        sealed = ", ".join(f"{count} {name}" for name, count in figures["sealed"].items())
        console.print(f"partial: the money of entries is sealed here: {sealed}", markup=False)
